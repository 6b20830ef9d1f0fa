import { useEffect, useRef } from "react";
import type { ResourceType, TaskStatus } from "../../gql/graphql";
import { useDraft } from "../draft";
import { ALL, NEWEST, type Order, viewer, type Wanted, want } from "../list";
import { Icon } from "../parts/Icon";
import { useSignal } from "../signal";
import { text } from "../texts";

const TYPING = 250; // ms without a key before the search begins

const GROUPS: { name: string; status: TaskStatus[] }[] = [
  { name: text.all, status: [] },
  { name: text.active, status: ["PENDING", "PROCESSING"] },
  { name: text.done, status: ["COMPLETED"] },
  { name: text.lossy, status: ["PARTIAL_COMPLETED", "FAILED"] },
  { name: text.cancelled, status: ["CANCELLED"] },
];

const TYPES: { name: string; type: ResourceType }[] = [
  { name: text.hls, type: "HLS" },
  { name: text.mp4, type: "MP4" },
  { name: text.image, type: "IMAGE" },
];

const ORDERS: { name: string; order: Order }[] = [
  { name: text.newest, order: NEWEST },
  { name: text.oldest, order: { field: "CREATED_AT", direction: "ASC" } },
  { name: text.changed, order: { field: "UPDATED_AT", direction: "DESC" } },
  { name: text.byProgress, order: { field: "PROGRESS", direction: "DESC" } },
  { name: text.byPriority, order: { field: "PRIORITY", direction: "DESC" } },
  { name: text.byRoom, order: { field: "LIVEROOM_ID", direction: "ASC" } },
];

export const isNarrowed = ({ search, status, type }: Wanted) => Boolean(search || status.length || type.length);

/** What the list is narrowed to and ordered by; it stays while one looks at something else. */
export function useWanted(): [Wanted, (wanted: Wanted) => void] {
  const [wanted, setWanted] = useDraft<Wanted>("wanted", ALL);
  const first = useRef(true);
  useEffect(() => {
    const timer = setTimeout(() => want(wanted), first.current ? 0 : TYPING);
    first.current = false;
    return () => clearTimeout(timer);
  }, [wanted]);
  return [wanted, setWanted];
}

export function Toolbar({ wanted, onChange }: { wanted: Wanted; onChange: (wanted: Wanted) => void }) {
  return (
    <search className="toolbar">
      <Groups wanted={wanted} onChange={onChange} />
      <div className="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label={text.search}
          placeholder={text.search}
          value={wanted.search}
          onChange={(event) => onChange({ ...wanted, search: event.target.value })}
        />
      </div>
      <select
        aria-label={text.type}
        value={wanted.type[0] ?? ""}
        onChange={(event) =>
          onChange({ ...wanted, type: TYPES.flatMap(({ type }) => (type === event.target.value ? type : [])) })
        }
      >
        <option value="">{text.everyType}</option>
        {TYPES.map(({ name, type }) => (
          <option key={type} value={type}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label={text.sort}
        value={ORDERS.findIndex(({ order }) => same(order, wanted.order))}
        onChange={(event) => onChange({ ...wanted, order: ORDERS[Number(event.target.value)]?.order ?? NEWEST })}
      >
        {ORDERS.map(({ name }, index) => (
          <option key={name} value={index}>
            {name}
          </option>
        ))}
      </select>
    </search>
  );
}

const same = (one: Order, other: Order) => one.field === other.field && one.direction === other.direction;

function Groups({ wanted, onChange }: { wanted: Wanted; onChange: (wanted: Wanted) => void }) {
  const counts = useSignal(viewer)?.taskCounts;
  const countOf = (status: TaskStatus[]) =>
    counts?.reduce((sum, each) => sum + (!status.length || status.includes(each.status) ? each.count : 0), 0);
  return (
    <fieldset className="groups">
      <legend className="hidden">{text.status}</legend>
      {GROUPS.map(({ name, status }) => (
        <button
          key={name}
          type="button"
          aria-pressed={String(status) === String(wanted.status)}
          onClick={() => onChange({ ...wanted, status })}
        >
          {name} <span className="count">{countOf(status)}</span>
        </button>
      ))}
    </fieldset>
  );
}
