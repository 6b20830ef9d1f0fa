import { useEffect, useRef, useState } from "react";
import type { ResourceType } from "../../gql/graphql";
import { text } from "../texts";

type Props = { url: string; type: ResourceType; title: string; poster?: string | null; growing?: boolean };

/** Plays what is stored. A stream goes through hls.js, which is loaded for it; Safari plays it itself. */
export function Player({ url, type, title, poster, growing = false }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    setFailed(false);
    const element = video.current;
    if (!element) return;
    return type === "HLS" ? attach(element, url, () => setFailed(true)) : plain(element, url);
  }, [url, type]);
  if (type === "IMAGE") return <img className="picture" src={url} alt={title} />;
  return (
    <div className="player">
      {/* biome-ignore lint/a11y/useMediaCaption: subtitles, if there are any, come with the stream */}
      <video
        ref={video}
        controls
        playsInline
        preload="metadata"
        aria-label={title}
        poster={poster ?? undefined}
        onError={() => setFailed(true)}
      />
      {failed && (
        <p className="fault" role="alert">
          {text.playFailed}
        </p>
      )}
      {growing && <p className="hint">{text.playingSoFar}</p>}
    </div>
  );
}

function plain(video: HTMLVideoElement, url: string): () => void {
  video.src = url;
  return () => {
    video.removeAttribute("src");
    video.load();
  };
}

function attach(video: HTMLVideoElement, url: string, onFault: () => void): () => void {
  let destroy = () => {};
  let gone = false;
  void import("./hls").then(({ playStream }) => {
    if (!gone) destroy = playStream(video, url, onFault) ?? plain(video, url);
  }, onFault);
  return () => {
    gone = true;
    destroy();
  };
}
