/** Every word of the page, in the browser's language: Chinese if it is wanted before English, else English. */

import { english, type Texts } from "./texts.en";
import { chinese } from "./texts.zh";

const wanted = navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => tag === "zh" || tag === "en");

export const text: Texts = wanted === "zh" ? chinese : english;

/** For dates and numbers: the viewer's own region, where it is of that language. */
export const language =
  navigator.languages.find((tag) => tag.startsWith(wanted ?? "en")) ?? (wanted === "zh" ? "zh-CN" : "en");

document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
