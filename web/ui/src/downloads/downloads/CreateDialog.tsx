import { useState } from "react";
import { CreateDocument, type CreateTaskInput, type RefusalFragment, type ResourceType } from "../../gql/graphql";
import { ask } from "../client";
import { forgetDraft, useDraft } from "../draft";
import { take } from "../list";
import { tell, wordsOf } from "../notices";
import { Dialog } from "../parts/Dialog";
import { refusalWords } from "../refusals";
import { guessType } from "../task";
import { text } from "../texts";
import { Field } from "./Field";
import { Lines } from "./Lines";

export type Form = {
  id: string;
  urls: string;
  types: Record<string, ResourceType>;
  room: string;
  title: string;
  start: boolean;
  priority: string;
  maxHeight: string;
  maxRetries: string;
  headers: string;
};

/** By the name of the field, or by a line's URL. */
type FieldName = (typeof FIELDS)[number] | "urls";
type Faults = { fields: Partial<Record<FieldName, string>>; lines: Record<string, string> };

const FIELDS = ["liveroomId", "liveroomTitle", "priority", "maxHeight", "maxRetries", "requestHeaders"] as const;

const MOST = 100;
const NO_FAULTS: Faults = { fields: {}, lines: {} };
const newForm = (): Form => ({
  id: [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16)).join(""),
  urls: "",
  types: {},
  room: "",
  title: "",
  start: true,
  priority: "50",
  maxHeight: "",
  maxRetries: "3",
  headers: "",
});

/** Asks for one download or many; what the service refuses stays, with the reason beside it. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useDraft<Form>("new", newForm());
  const [faults, setFaults] = useState<Faults>(NO_FAULTS);
  const [busy, setBusy] = useState(false);
  const change = (part: Partial<Form>) => setForm({ ...form, ...part });
  const urls = linesOf(form.urls);

  const submit = async () => {
    const found = check(form, urls);
    setFaults(found);
    if (Object.keys({ ...found.fields, ...found.lines }).length) return;
    setBusy(true);
    try {
      const inputs = await Promise.all(urls.map((url) => inputOf(form, url)));
      const { createTasks } = await ask(CreateDocument, { inputs });
      for (const { task } of createTasks) if (task) take(task);
      const refused = urls.filter((_, index) => !createTasks[index]?.task);
      if (urls.length > refused.length) tell(text.created(urls.length - refused.length));
      if (refused.length) {
        setForm({ ...form, urls: refused.join("\n") });
        setFaults(
          faultsOf(
            urls,
            createTasks.map((each) => each.userErrors),
          ),
        );
      } else {
        forgetDraft("new");
        onClose();
      }
    } catch (error) {
      tell(wordsOf(error), true);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={text.newDownload} onClose={onClose} wide>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Field label={text.urls} hint={text.urlsHint} fault={faults.fields.urls}>
          {(props) => (
            <textarea
              {...props}
              rows={Math.min(8, Math.max(3, urls.length + 1))}
              spellCheck={false}
              autoFocus
              value={form.urls}
              onChange={(event) => change({ urls: event.target.value })}
            />
          )}
        </Field>
        <Lines urls={urls} types={form.types} faults={faults.lines} onType={(types) => change({ types })} />
        <div className="pair">
          <Field label={text.roomId} hint={text.roomIdHint} fault={faults.fields.liveroomId}>
            {(props) => (
              <input
                {...props}
                maxLength={40}
                value={form.room}
                onChange={(event) => change({ room: event.target.value })}
              />
            )}
          </Field>
          <Field label={text.title} hint={text.optional} fault={faults.fields.liveroomTitle}>
            {(props) => (
              <input {...props} value={form.title} onChange={(event) => change({ title: event.target.value })} />
            )}
          </Field>
        </div>
        <More form={form} faults={faults.fields} onChange={change} />
        <label className="switch">
          <input type="checkbox" checked={form.start} onChange={(event) => change({ start: event.target.checked })} />
          {text.startNow}
        </label>
        <footer>
          <button type="button" onClick={onClose}>
            {text.close}
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {text.create(urls.length)}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function More({
  form,
  faults,
  onChange,
}: {
  form: Form;
  faults: Faults["fields"];
  onChange: (part: Partial<Form>) => void;
}) {
  const isAtFault = FIELDS.slice(2).some((name) => faults[name]);
  return (
    <details open={isAtFault || undefined}>
      <summary>{text.more}</summary>
      <div className="pair">
        <Field label={text.priority} hint={text.priorityHint} fault={faults.priority}>
          {(props) => (
            <input
              {...props}
              type="number"
              value={form.priority}
              onChange={(event) => onChange({ priority: event.target.value })}
            />
          )}
        </Field>
        <Field label={text.maxRetries} hint={text.maxRetriesHint} fault={faults.maxRetries}>
          {(props) => (
            <input
              {...props}
              type="number"
              value={form.maxRetries}
              onChange={(event) => onChange({ maxRetries: event.target.value })}
            />
          )}
        </Field>
      </div>
      <Field label={text.maxHeight} fault={faults.maxHeight}>
        {(props) => (
          <select {...props} value={form.maxHeight} onChange={(event) => onChange({ maxHeight: event.target.value })}>
            <option value="">{text.bestQuality}</option>
            {[2160, 1440, 1080, 720, 480, 360].map((height) => (
              <option key={height} value={height}>
                {text.lines(height)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={text.headers} hint={text.headersHint} fault={faults.requestHeaders}>
        {(props) => (
          <textarea
            {...props}
            rows={2}
            spellCheck={false}
            value={form.headers}
            onChange={(event) => onChange({ headers: event.target.value })}
          />
        )}
      </Field>
    </details>
  );
}

const linesOf = (urls: string) => [...new Set(urls.split(/\s+/).filter(Boolean))];

export const typeOf = (url: string, types: Form["types"]): ResourceType => types[url] ?? guessType(url) ?? "HLS";

function check(form: Form, urls: string[]): Faults {
  const fields: Faults["fields"] = {};
  if (!urls.length) fields.urls = text.required;
  if (urls.length > MOST) fields.urls = text.tooMany;
  if (!form.room.trim()) fields.liveroomId = text.required;
  if (headersOf(form.headers).some(({ name, value }) => !name || !value)) fields.requestHeaders = text.headerBad;
  const bad = urls.filter((url) => !/^https?:\/\/./i.test(url) || !URL.canParse(url));
  return { fields, lines: Object.fromEntries(bad.map((url) => [url, text.lineBad])) };
}

const headersOf = (headers: string) =>
  headers
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => {
      const [name = "", ...value] = line.split(":");
      return { name: name.trim(), value: value.join(":").trim() };
    });

/** The same input has the same key, so that a lost answer makes no second download. */
async function inputOf(form: Form, url: string): Promise<CreateTaskInput> {
  const input = {
    resourceUrl: url,
    resourceType: typeOf(url, form.types),
    liveroomId: form.room.trim(),
    liveroomTitle: form.title.trim() || null,
    autoStart: form.start,
    priority: Math.round(Number(form.priority)),
    maxRetries: Math.round(Number(form.maxRetries)),
    maxHeight: form.maxHeight ? Number(form.maxHeight) : null,
    requestHeaders: headersOf(form.headers),
  };
  return { ...input, idempotencyKey: `${form.id}-${hash(JSON.stringify(input))}` };
}

/** FNV-1a: it only has to tell one form's inputs apart. */
function hash(words: string): string {
  let value = 0x811c9dc5;
  for (const letter of words) value = Math.imul(value ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value.toString(16);
}

/** A fault of a line's URL or type stands at the line, another at its field. */
function faultsOf(urls: string[], answers: RefusalFragment[][]): Faults {
  const found: Faults = { fields: {}, lines: {} };
  answers.forEach((errors, index) => {
    for (const error of errors) {
      const name = FIELDS.find((each) => each === error.field?.[2]);
      if (name) found.fields[name] = refusalWords(error);
      else found.lines[urls[index] ?? ""] = refusalWords(error);
    }
  });
  return found;
}
