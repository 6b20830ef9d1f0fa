import { useState } from "react";
import { send } from "../client";
import { count } from "../format";
import { reload } from "../list";
import { tell, wordsOf } from "../notices";
import { Dialog } from "../parts/Dialog";
import { importWords } from "../refusals";
import { text } from "../texts";
import { Fault, Field } from "./Field";

type FailedRow = { row: number; liveroom_id: string; resource_url: string; error: string };
type SkippedRow = { row: number; liveroom_id: string; resource_url: string; reason: string };
type Report = {
  success: number;
  failed: number;
  skipped: number;
  failed_rows: FailedRow[];
  skipped_rows: SkippedRow[];
};
type Envelope = { message?: string; data?: Partial<Report> | null };

const PATH = "./api/v1/download/tasks/batch-import";

/** Many downloads from a file, and what became of each row. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();
  const [report, setReport] = useState<Report | null>(null);

  const submit = async (form: FormData) => {
    const file = form.get("file");
    if (!(file instanceof File) || !file.name) return setFault(text.chooseFile);
    setBusy(true);
    setFault(undefined);
    setReport(null);
    try {
      const answer = (await send(PATH, { body: form })) as Envelope;
      if (answer.data?.failed_rows) setReport(answer.data as Report);
      else setFault(importWords(answer.message ?? text.loadFailed));
      void reload();
    } catch (error) {
      tell(wordsOf(error), true);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={text.importCsv} onClose={onClose} wide>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void submit(new FormData(event.currentTarget));
        }}
      >
        <Field label={text.csvFile} hint={text.csvHint} fault={fault}>
          {(props) => <input {...props} type="file" name="file" accept=".csv,text/csv" />}
        </Field>
        <label className="switch">
          <input type="checkbox" name="skip_duplicates" value="true" defaultChecked />
          {text.skipDuplicates}
        </label>
        <label className="switch">
          <input type="checkbox" name="auto_start" value="true" defaultChecked />
          {text.startNow}
        </label>
        {report && <ReportTable report={report} />}
        <footer>
          <button type="button" onClick={onClose}>
            {text.close}
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? text.importing : text.importNow}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function ReportTable({ report }: { report: Report }) {
  const rows = [
    ...report.failed_rows.map((row) => ({ ...row, why: row.error, bad: true })),
    ...report.skipped_rows.map((row) => ({ ...row, why: row.reason, bad: false })),
  ].sort((one, other) => one.row - other.row);
  return (
    <div className="report">
      <p role="status">
        <strong>{text.reportSums(report.success, report.failed, report.skipped)}</strong>
      </p>
      {rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too
        <section className="scroll" tabIndex={0} aria-label={text.report}>
          <table>
            <thead>
              <tr>
                <th scope="col">{text.row}</th>
                <th scope="col">{text.liveRoom}</th>
                <th scope="col">{text.url}</th>
                <th scope="col">{text.reason}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.row}>
                  <td>{count(row.row)}</td>
                  <td>{row.liveroom_id}</td>
                  <td className="url">{row.resource_url}</td>
                  <td>{row.bad ? <Fault words={importWords(row.why)} /> : importWords(row.why)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  );
}
