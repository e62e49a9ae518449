import { createHash } from 'node:crypto';
import { decodeName } from '../../base/names.ts';

/**
 * What rfs gets to see in place of a name or a target that is not UTF-8: each byte that is no part of a character as `\xNN`.
 * What would be longer than `limit` bytes, or is asked for as another `attempt` because an earlier one was taken, is cut
 * and ends in `~` and 12 hex digits of a digest of the true bytes.
 */
export function publicText(bytes: Uint8Array, limit: number, attempt = 0): string {
  const escaped = decodeName(bytes).replace(
    /[\udc80-\udcff]/gu,
    (lone) => `\\x${(lone.charCodeAt(0) & 0xff).toString(16)}`,
  );
  if (attempt === 0 && Buffer.byteLength(escaped) <= limit) return escaped;
  const digest = createHash('sha256').update(bytes).update(`${attempt}`).digest('hex').slice(0, 12);
  return `${firstBytes(escaped, limit - 13)}~${digest}`;
}

/** As many whole characters as fit into so many bytes. */
function firstBytes(text: string, most: number): string {
  let length = 0;
  let kept = '';
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > most) break;
    kept += character;
  }
  return kept;
}
