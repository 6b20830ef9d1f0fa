/** hls.js, apart: it is larger than the rest of the page. */

import Hls from "hls.js";

const TRIES = 3;

/** Play the stream at ``url``; null where this browser has to do that itself. */
export function playStream(video: HTMLVideoElement, url: string, onFault: () => void): (() => void) | null {
  if (!Hls.isSupported()) return null;
  // Its worker comes from a blob:, which the Content-Security-Policy forbids. What still grows starts at its start.
  const hls = new Hls({ enableWorker: false, startPosition: 0, backBufferLength: 60 });
  let tries = 0;
  hls.on(Hls.Events.ERROR, (_, { fatal, type }) => {
    if (!fatal) return;
    tries += 1;
    if (tries > TRIES) return onFault();
    if (type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
    else setTimeout(() => hls.loadSource(url), 1000 * tries);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return () => hls.destroy();
}
