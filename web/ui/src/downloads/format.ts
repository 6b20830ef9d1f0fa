/** Numbers and times for people, in their language and their time zone. */

import { language } from "./texts";

const numbers = new Intl.NumberFormat(language);
const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const instants = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const clocks = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export const count = (value: number) => numbers.format(value);

/** 100 % only when nothing is missing. */
export const percent = (share: number) => percents.format(share < 1 ? Math.min(share, 0.999) : 1);

export function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${short.format(value / 1000 ** power)} ${UNITS[power]}`;
}

export const speed = (perSecond: number) => `${bytes(perSecond)}/s`;

/** 1:02:03, as players write it. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const clock = [hours, minutes, rest].map((part) => String(part).padStart(2, "0"));
  return hours ? `${hours}:${clock[1]}:${clock[2]}` : `${minutes}:${clock[2]}`;
}

/** About how long: one unit is enough. */
export function about(seconds: number): string {
  const [value, unit] =
    seconds < 60
      ? [Math.max(1, Math.round(seconds)), "second"]
      : seconds < 3600
        ? [Math.round(seconds / 60), "minute"]
        : [Math.round(seconds / 3600), "hour"];
  return new Intl.NumberFormat(language, { style: "unit", unit: unit as string, unitDisplay: "short" }).format(
    value as number,
  );
}

export const instant = (iso: string) => instants.format(new Date(iso));

export const clock = (iso: string) => clocks.format(new Date(iso));

/** "3 min. ago", within a week; the date beyond. */
export function since(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  if (seconds > -60) return ago.format(0, "second");
  if (seconds > -3600) return ago.format(Math.round(seconds / 60), "minute");
  if (seconds > -86_400) return ago.format(Math.round(seconds / 3600), "hour");
  return seconds > -604_800 ? ago.format(Math.round(seconds / 86_400), "day") : instant(iso);
}
