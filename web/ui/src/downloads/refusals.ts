/** Why the service did nothing, in the viewer's language: its own words are English. */

import type { RefusalFragment, UserErrorCode } from "../gql/graphql";
import { language } from "./texts";

const CHINESE: Partial<Record<UserErrorCode, string>> = {
  NOT_FOUND: "不存在，或属于其他用户。",
  CONFLICT: "当前状态不允许此操作。",
  RETRY_LIMIT_REACHED: "已达到重试次数上限。",
  QUOTA_EXCEEDED: "已超出配额，请先删除部分下载。",
  BLOCKED_URL: "此网址不允许访问。",
};

const FIELDS: Record<string, string> = {
  liveroomId: "直播间须为 5 至 20 个字符。",
  resourceUrl: "须为公开的 http 或 https 网址，最多 2,000 个字符。",
  liveroomTitle: "标题最多 255 个字符。",
  liveroomUrl: "须为 http 或 https 网址。",
  priority: "优先级须在 0 至 100 之间。",
  maxRetries: "重试次数须在 1 至 10 之间。",
  maxHeight: "分辨率无效。",
  requestHeaders: "请求头无效。",
};

/** What stands beside the field, or in a message. */
export function refusalWords({ code, message, field }: RefusalFragment): string {
  if (!language.startsWith("zh")) return message;
  const name = field?.find((part) => part in FIELDS);
  return CHINESE[code] ?? (name && FIELDS[name]) ?? message;
}

/** What went wrong with a task, in the viewer's language; causes such as HTTP 404 are in everybody's. */
export function errorWords(message: string): string {
  const [, lost, all, cause] = /^(\d+) of (\d+) pieces are missing: (.*)$/s.exec(message) ?? [];
  return lost && language.startsWith("zh") ? `${all} 片中缺失 ${lost} 片：${cause}` : message;
}

const ROWS: Record<string, string> = {
  缺少必填字段: "A required column is empty.",
  "直播间ID长度必须在5-20之间": "liveroom_id must have 5 to 20 characters.",
  资源地址不允许访问: "This address must not be fetched.",
  任务组合已存在: "There is a download with this URL, room and title already.",
  "文件类型错误，必须是CSV文件": "This is no CSV file.",
  文件不能为空: "The file is empty.",
  "文件编码错误，请使用UTF-8编码": "The file is not in UTF-8.",
  "CSV文件超过最大行数限制（1000行）": "The file has more than 1,000 rows.",
  "文件大小超过限制，最大允许10MB": "The file is larger than 10 MB.",
  CSV文件格式错误: "This file cannot be read as CSV.",
  批量导入任务成功: "",
  批量导入部分成功: "",
};

/** What the import says of a row or file, in the viewer's language: its own words are Chinese. */
export function importWords(message: string): string {
  if (language.startsWith("zh")) return message;
  const type = /^无效的resource_type: (.*)，/.exec(message);
  if (type) return `resource_type is "${type[1]}": it must be hls, mp4 or image.`;
  const columns = /缺少必需列:?\s*(.*)$/.exec(message);
  if (columns) return `Required columns are missing: ${columns[1]}`;
  return ROWS[message] ?? message;
}
