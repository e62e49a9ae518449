import { Failure } from '../base/errors.ts';

const magic = '!<arch>\n';
const headerSize = 60;

/**
 * The members of a Unix archive in their order, as `.deb` files use it (deb(5), ar(5)): short names, a trailing `/`
 * removed. The data are views into `bytes`.
 * @throws Failure `corrupt` when it is no archive, is cut off, or uses a long-name extension.
 */
export function readAr(bytes: Uint8Array): { name: string; data: Uint8Array }[] {
  const text = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString('latin1');
  if (text(0, magic.length) !== magic)
    throw new Failure('corrupt', 'not an ar archive: its magic is missing');

  const members: { name: string; data: Uint8Array }[] = [];
  let offset = magic.length;
  while (offset < bytes.length) {
    const header = text(offset, offset + headerSize);
    if (header.length < headerSize)
      throw new Failure('corrupt', `ar archive ends inside a header at ${offset}`);
    const fields = /^([^/#].{0,15}?)\/? *$/.exec(header.slice(0, 16));
    const size = /^(\d{1,10}) *$/.exec(header.slice(48, 58));
    if (!fields || !size || header.slice(58) !== '`\n')
      throw new Failure('corrupt', `ar archive has no valid member header at ${offset}`);
    const start = offset + headerSize;
    const end = start + Number(size[1]);
    if (end > bytes.length)
      throw new Failure('corrupt', `ar archive ends inside its member ${JSON.stringify(fields[1])}`);
    members.push({ name: fields[1]!, data: bytes.subarray(start, end) });
    offset = end + (end % 2);
  }
  return members;
}
