import { describe, expect, test } from 'vitest';
import { cpioKinds, cpioPadding, encodeCpioHeader, encodeCpioTrailer, readCpio } from './cpio.ts';

const header = {
  ino: 7,
  mode: cpioKinds.file | 0o644,
  links: 1,
  uid: 10,
  gid: 11,
  mtime: 12,
  major: 0,
  minor: 0,
};

function member(name: string, data: string): Uint8Array {
  const bytes = Buffer.from(data);
  return Buffer.concat([
    encodeCpioHeader(header, Buffer.from(name), bytes.length),
    bytes,
    cpioPadding(bytes.length),
  ]);
}

function archive(...members: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(members);
  return Buffer.concat([bytes, encodeCpioTrailer(bytes.length)]);
}

const names = (bytes: Uint8Array) => [...readCpio(bytes)].map(({ name }) => Buffer.from(name).toString());

/** The header of `member('a', '')` with one of its thirteen fields changed. */
function withField(index: number, value: string): Buffer {
  const bytes = archive(member('a', 'data'));
  bytes.write(value, 6 + index * 8, 'latin1');
  return bytes;
}

describe('the cpio codec', () => {
  test('writes a header as cpio(5) shows it', () => {
    const text = Buffer.from(encodeCpioHeader(header, Buffer.from('ab'), 5)).toString('latin1');
    expect(text).toBe(
      '070701' +
        ['00000007', '000081a4', '0000000a', '0000000b', '00000001', '0000000c', '00000005'].join('') +
        ['00000000', '00000000', '00000000', '00000000', '00000003', '00000000'].join('') +
        'ab\0\0\0\0',
    );
  });

  test('fills up names and data to four bytes, and the archive to 512', () => {
    for (let length = 1; length < 9; length++) {
      const bytes = archive(member('n'.repeat(length), 'd'.repeat(length)), member('next', ''));
      expect(names(bytes)).toEqual(['n'.repeat(length), 'next']);
      expect(bytes.length % 512).toBe(0);
    }
  });

  test('reads archives that stand one after the other, with zeros between', () => {
    const bytes = Buffer.concat([
      archive(member('early', '1')),
      Buffer.alloc(1024),
      archive(member('late', '2')),
    ]);
    const members = [...readCpio(bytes)];
    expect(members.map((each) => [Buffer.from(each.name).toString(), each.archive])).toEqual([
      ['early', 0],
      ['late', 1],
    ]);
  });

  test('checks the sums of format 070702', () => {
    const right = withField(12, (100 + 97 + 116 + 97).toString(16).padStart(8, '0'));
    right.write('070702');
    expect(names(right)).toEqual(['a']);
    const wrong = withField(12, '00000001');
    wrong.write('070702');
    expect(() => names(wrong)).toThrow('wrong checksum');
  });

  test('refuses numbers that do not fit', () => {
    expect(() => encodeCpioHeader({ ...header, uid: 2 ** 32 }, Buffer.from('a'), 0)).toThrow('does not fit');
    expect(() => encodeCpioHeader(header, Buffer.from('a'), 2 ** 32)).toThrow('does not fit');
    expect(() => encodeCpioHeader(header, Buffer.alloc(4096, 'a'), 0)).toThrow('too long');
  });

  test('says that an archive is cut off, wherever it is cut', () => {
    const whole = member('a', 'data');
    const end = archive(whole).subarray(0, whole.length + 124);
    expect(names(end)).toEqual(['a']);
    for (let size = 0; size < end.length - 4; size++)
      expect(() => names(end.subarray(0, size))).toThrow('cut off');
  });

  test.each([
    ['a length of 4 GiB', 6, 'ffffffff', 'cut off'],
    ['a name without length', 11, '00000000', 'length of a name'],
    ['a name of 4 GiB', 11, 'ffffffff', 'length of a name'],
    ['a name that does not end', 11, '00000005', 'NUL'],
    ['a field that is no number', 0, 'xxxxxxxx', 'no newc header'],
    ['a negative number', 6, '-0000001', 'no newc header'],
  ])('refuses %s', (_what, index, value, message) => {
    expect(() => names(withField(index, value))).toThrow(message);
  });

  test('refuses what is no cpio archive', () => {
    expect(() => names(Buffer.alloc(200, 'x'))).toThrow('damaged at byte 0: no newc header');
    const compressed = Buffer.concat([
      archive(member('a', '')),
      Buffer.from('\x28\xb5\x2f\xfd', 'latin1'),
      Buffer.alloc(200),
    ]);
    expect(() => names(compressed)).toThrow('damaged at byte 512');
  });
});
