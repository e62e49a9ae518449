import { skeletonTree } from '../../image/skeleton.ts';
import { type Stage, value } from '../stage.ts';

export const baseExtract: Stage = {
  name: 'base_extract',
  summary: 'the empty root: directories of a merged-/usr system, first devices',
  module: import.meta.filename,
  inputs: (recipe) => ({ architecture: value(recipe.values.architecture) }),
  async run(access) {
    const skeleton = skeletonTree(await access.value('architecture'));
    return { trees: { skeleton }, note: `${skeleton.size - 1} entries` };
  },
};
