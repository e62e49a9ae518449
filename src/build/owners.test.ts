import { expect, test } from 'vitest';
import { type Owners, ownerOf, ownersOf } from './owners.ts';

test('paths called as what every object has belong to who brought them, and else to nobody', () => {
  const names = ['usr/bin/x', 'constructor', 'toString', '__proto__', 'hasOwnProperty'];
  const owners = ownersOf(new Map(names.map((name) => [name, `package of ${name}`])));
  const recorded = JSON.parse(JSON.stringify(owners)) as Owners;
  for (const name of names) {
    expect(ownerOf(recorded, name)).toBe(`package of ${name}`);
    expect(ownerOf(ownersOf(new Map()), name)).toBe(undefined);
  }
});
