import { useCallback, useState } from "react";
import { count } from "../format";
import { list, reload } from "../list";
import { Empty, Failed } from "../parts/Empty";
import { Icon } from "../parts/Icon";
import { route, TO } from "../route";
import { useSignal } from "../signal";
import { text } from "../texts";
import { CreateDialog } from "./CreateDialog";
import { ImportDialog } from "./ImportDialog";
import { Rows } from "./Rows";
import { SelectionBar } from "./SelectionBar";
import { isNarrowed, Toolbar, useWanted } from "./Toolbar";

const back = () => {
  location.hash = TO.downloads;
};

/** The live list of everything that was asked for. */
export function Downloads({ dialog }: { dialog: "none" | "new" | "import" }) {
  const [wanted, setWanted] = useWanted();
  const shown = useSignal(list);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const select = useCallback((id: string, on: boolean) => {
    setSelected((before) => {
      const after = new Set(before);
      if (on) after.add(id);
      else after.delete(id);
      return after;
    });
  }, []);
  const chosen = shown.tasks.filter((task) => selected.has(task.id));
  return (
    <>
      <div className="title-line">
        <h1>{text.downloads}</h1>
        {shown.total !== null && <span className="count">{text.taskCount(shown.total)}</span>}
        <span className="stretch" />
        <a className="button" href={TO.import}>
          <Icon name="upload" />
          {text.importCsv}
        </a>
        <a className="button primary" href={TO.new}>
          <Icon name="add" />
          {text.newDownload}
        </a>
      </div>
      <Toolbar wanted={wanted} onChange={setWanted} />
      {shown.tasks.length > 0 && (
        <SelectionBar
          chosen={chosen}
          all={chosen.length === shown.tasks.length}
          onAll={(on) => setSelected(new Set(on ? shown.tasks.map((task) => task.id) : []))}
        />
      )}
      {shown.tasks.length > 0 && <Rows list={shown} selected={selected} onSelect={select} />}
      {shown.error !== null && <Failed error={shown.error} onRetry={() => void reload()} />}
      {shown.loading && shown.tasks.length === 0 && <Placeholders />}
      {!shown.loading && !shown.error && shown.tasks.length === 0 && (
        <Nothing
          narrowed={isNarrowed(wanted)}
          onWiden={() => setWanted({ ...wanted, search: "", status: [], type: [] })}
        />
      )}
      {shown.complete && shown.tasks.length > 20 && (
        <p className="end">
          {text.allShown} {count(shown.tasks.length)}
        </p>
      )}
      {dialog === "new" && <CreateDialog onClose={back} />}
      {dialog === "import" && <ImportDialog onClose={back} />}
    </>
  );
}

function Placeholders() {
  return (
    <div className="rows" role="status">
      <span className="hidden">{text.loading}</span>
      {["a", "b", "c", "d", "e"].map((each) => (
        <div key={each} className="row ghost" />
      ))}
    </div>
  );
}

function Nothing({ narrowed, onWiden }: { narrowed: boolean; onWiden: () => void }) {
  if (route.get().view !== "downloads") return null;
  return narrowed ? (
    <Empty title={text.noMatch} hint={text.noMatchHint}>
      <button type="button" onClick={onWiden}>
        {text.clearFilters}
      </button>
    </Empty>
  ) : (
    <Empty title={text.none} hint={text.noneHint}>
      <a className="button primary" href={TO.new}>
        <Icon name="add" />
        {text.newDownload}
      </a>
    </Empty>
  );
}
