import { type ReactNode, useId } from "react";
import { text } from "../texts";

type Control = { id: string; "aria-invalid": boolean; "aria-describedby": string | undefined };
type Props = { label: string; hint?: string; fault: string | undefined; children: (control: Control) => ReactNode };

/** A control with its name, what it takes, and what is wrong with what it has. */
export function Field({ label, hint, fault, children }: Props) {
  const id = useId();
  const described = [fault && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {hint === text.optional && <span className="hint">({hint})</span>}
      </label>
      {children({ id, "aria-invalid": Boolean(fault), "aria-describedby": described || undefined })}
      <Fault id={`${id}-fault`} words={fault} />
      {hint && (
        <p className={hint === text.optional ? "hidden" : "hint"} id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function Fault({ words, id }: { words: string | undefined; id?: string }) {
  return words ? (
    <p className="fault" role="alert" id={id}>
      {words}
    </p>
  ) : null;
}
