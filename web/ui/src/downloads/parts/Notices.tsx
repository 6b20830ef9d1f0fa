import { dismiss, notices } from "../notices";
import { useSignal } from "../signal";
import { text } from "../texts";
import { Icon } from "./Icon";

/** Messages, read out as they come; those of errors at once. */
export function Notices() {
  const shown = useSignal(notices);
  return (
    <div className="notices">
      {[false, true].map((bad) => (
        <div key={String(bad)} role={bad ? "alert" : "status"}>
          {shown
            .filter((notice) => notice.bad === bad)
            .map(({ id, words }) => (
              <p key={id} className={bad ? "notice bad" : "notice"}>
                {words}
                <button type="button" className="quiet icon" aria-label={text.close} onClick={() => dismiss(id)}>
                  <Icon name="close" />
                </button>
              </p>
            ))}
        </div>
      ))}
    </div>
  );
}
