import { expect, it } from 'vitest';
import { parseKeyValues } from './key-values.ts';

it('reads plain KEY=value lines, without comments, blank lines and lines that have no key', () => {
  const text = '# comment\nBUILD_ID=0123\n\nEMPTY=\nURL=http://h/?a=b\n=x\nnonsense\n BUILD_ID = 4567 \r\n';
  expect(Object.fromEntries(parseKeyValues(text))).toEqual({
    BUILD_ID: '4567',
    EMPTY: '',
    URL: 'http://h/?a=b',
  });
});
