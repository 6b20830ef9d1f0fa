import type { ResourceType } from "../../gql/graphql";
import { text } from "../texts";
import { type Form, typeOf } from "./CreateDialog";
import { Fault } from "./Field";

const SHOWN = 100;

type Props = {
  urls: string[];
  types: Form["types"];
  faults: Record<string, string>;
  onType: (types: Form["types"]) => void;
};

/** What each URL leads to, as guessed or chosen, and why it was refused. */
export function Lines({ urls, types, faults, onType }: Props) {
  if (!urls.length) return null;
  return (
    <ul className="lines" aria-label={text.urlTypes}>
      {urls.slice(0, SHOWN).map((url) => (
        <li key={url}>
          <span className="url" title={url}>
            {url}
          </span>
          <select
            aria-label={text.typeOf(url)}
            value={typeOf(url, types)}
            onChange={(event) => onType({ ...types, [url]: event.target.value as ResourceType })}
          >
            <option value="HLS">{text.hls}</option>
            <option value="MP4">{text.mp4}</option>
            <option value="IMAGE">{text.image}</option>
          </select>
          <Fault words={faults[url]} />
        </li>
      ))}
    </ul>
  );
}
