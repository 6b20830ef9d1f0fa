/** Drawing cells: only those that have changed, so that 20,000 four times a second cost next to nothing. */

import { LETTERS, letterOf } from "./pieces";

export type Layout = { size: number; gap: number; columns: number; rows: number; width: number; height: number };

const SIZES = [18, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3];
const TALLEST = 260; // CSS pixels
const MARKED = 6; // from this size on a lost cell is also marked by its form

/** The largest cells that fit into ``width``, in CSS pixels. */
export function layOut(total: number, width: number): Layout {
  const fits = SIZES.map((size) => grid(total, width, size)).find(({ height }) => height <= TALLEST);
  return fits ?? grid(total, width, 3);
}

function grid(total: number, width: number, size: number): Layout {
  const gap = size > 8 ? 2 : 1;
  const columns = Math.max(1, Math.floor((width + gap) / (size + gap)));
  const rows = Math.ceil(total / columns);
  return { size, gap, columns, rows, width, height: rows * (size + gap) - gap };
}

export type Colours = Map<string, string>;

/** As the style sheet has them, in light and dark. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--cell-${name}`).trim();
  return new Map([...LETTERS, "unknown", "mark", "cursor"].map((name) => [name, colour(name)]));
}

/** Draw the cells from ``first`` on that differ from ``before``; all of them where there is none. */
export function paint(
  canvas: CanvasRenderingContext2D,
  layout: Layout,
  colours: Colours,
  cells: Uint8Array,
  before: Uint8Array | null,
): void {
  for (let index = 0; index < cells.length; index += 1) {
    if (!before || before[index] !== cells[index]) paintCell(canvas, layout, colours, cells, index);
  }
}

function paintCell(
  canvas: CanvasRenderingContext2D,
  layout: Layout,
  colours: Colours,
  cells: Uint8Array,
  index: number,
): void {
  const { size } = layout;
  const { x, y } = placeOf(layout, index);
  const letter = letterOf(cells[index]);
  canvas.fillStyle = colours.get(letter) ?? colours.get("unknown") ?? "";
  canvas.fillRect(x, y, size, size);
  if (size < MARKED || !"fag".includes(letter)) return;
  canvas.fillStyle = colours.get("mark") ?? "";
  const thin = Math.max(1, Math.round(size / 8));
  const middle = Math.round((size - thin) / 2);
  if (letter === "f") canvas.fillRect(x + middle, y + thin * 2, thin, size - thin * 4);
  if (letter !== "f") canvas.fillRect(x + thin * 2, y + middle, size - thin * 4, thin);
}

export function placeOf({ size, gap, columns }: Layout, index: number): { x: number; y: number } {
  return { x: (index % columns) * (size + gap), y: Math.floor(index / columns) * (size + gap) };
}

/** The piece at a place; null where there is none. */
export function pieceAt({ size, gap, columns }: Layout, total: number, x: number, y: number): number | null {
  const column = Math.floor(x / (size + gap));
  const index = Math.floor(y / (size + gap)) * columns + column;
  return x >= 0 && y >= 0 && column < columns && index < total ? index : null;
}
