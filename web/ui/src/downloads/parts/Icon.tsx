const PATHS = {
  brand: "M12 4v10m-4-4 4 4 4-4M5 19h14",
  leave: "M10 5H6v14h4M14 8l4 4-4 4m4-4H9",
  add: "M12 5v14M5 12h14",
  upload: "M12 16V5m-4 4 4-4 4 4M5 19h14",
  download: "M12 5v10m-4-4 4 4 4-4M5 19h14",
  start: "M8 5.5v13l11-6.5z",
  resume: "M8 5.5v13l11-6.5z",
  play: "M8 5.5v13l11-6.5z",
  pause: "M9 5.5v13M15 5.5v13",
  cancel: "M6 6l12 12M18 6 6 18",
  close: "M6 6l12 12M18 6 6 18",
  finish: "M7 7h10v10H7z",
  retry: "M19 12a7 7 0 1 1-2.1-5M19 4v4h-4",
  delete: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10 11v5M14 11v5",
  back: "M14 6l-6 6 6 6",
  search: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5 20 20",
  film: "M5 6h14v12H5zM9 6v12M15 6v12M5 10h4M5 14h4M15 10h4M15 14h4",
  picture: "M5 6h14v12H5zM5 16l4-4 3 3 3-4 4 5M9 9.5h.01",
  open: "M10 6l6 6-6 6",
};

export type IconName = keyof typeof PATHS;

/** A picture for a word that stands beside it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
