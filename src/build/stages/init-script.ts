import { Failure } from '../../base/errors.ts';
import { textEntry } from '../../image/entries.ts';
import { Tree } from '../../tree/tree.ts';
import { recipeFile, type Stage } from '../stage.ts';

export const initScript: Stage = {
  name: 'init_script',
  summary: 'config/init as /init',
  module: import.meta.filename,
  inputs: (recipe) => ({ init: recipeFile(recipe, 'init') }),
  async run(access) {
    const text = await access.text('init');
    if (!text.startsWith('#!'))
      throw new Failure('config', `${access.label('init')}:1: /init must begin with #!`, {
        hint: 'the kernel starts it as a program; for a shell script: #!/bin/sh',
      });
    return {
      trees: { files: Tree.from([['init', textEntry(text, 0o755)]]) },
      note: `${text.split('\n').length - 1} lines`,
    };
  },
};
