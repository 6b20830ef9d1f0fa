import { useState } from "react";
import type { ResourceType } from "../../gql/graphql";
import { forgetLink } from "../links";
import { Icon } from "./Icon";

/** A still picture, or a sign for its kind. Beside it stands the title: it says nothing of its own. */
export function Cover({ url, type }: { url: string | null | undefined; type: ResourceType }) {
  const [broken, setBroken] = useState<string | null>(null);
  const failed = (bad: string) => {
    forgetLink(bad);
    setBroken(bad);
  };
  return (
    <span className="cover">
      {url && url !== broken ? (
        <img src={url} alt="" loading="lazy" decoding="async" onError={() => failed(url)} />
      ) : (
        <Icon name={type === "IMAGE" ? "picture" : "film"} />
      )}
    </span>
  );
}
