import { decompress } from '../../archive/compression.ts';
import { Failure } from '../../base/errors.ts';
import { readStamp } from '../../image/stamp.ts';
import { checkBudget } from '../../image/validate.ts';
import { dumpTree } from '../../tree/dump.ts';
import { treeFromCpio } from '../../tree/from-cpio.ts';
import { output, type Stage, value } from '../stage.ts';
import type { ImageValue } from './initramfs-create.ts';

export const initramfsTest: Stage = {
  name: 'initramfs_test',
  summary: 'holds the archive against its budget, reads it back and compares it with what went in',
  module: import.meta.filename,
  inputs: (recipe) => ({
    archive: output('initramfs_create', 'image'),
    root: output('initramfs_create', 'root'),
    image: output('initramfs_create', 'description'),
    'image.yaml budget': value(recipe.values.budget),
  }),
  async run(access) {
    const image = await access.value<ImageValue>('image');
    checkBudget(
      image.file,
      image.bytes,
      (await access.value<{ initramfs: number }>('image.yaml budget')).initramfs,
    );
    const archive = await (await access.tree('archive')).file(image.file)!.content.read();
    const found = treeFromCpio(await decompress(archive, { name: image.file }));
    const expected = await dumpTree(await access.tree('root'));
    if ((await dumpTree(found)) !== expected)
      throw new Failure('corrupt', `${image.file} does not hold what was put into it`, {
        hint: 'this is a defect of zosbuilder; please report it with the recipe',
      });
    const stamp = await readStamp(found);
    if (stamp?.buildId !== image.buildId)
      throw new Failure(
        'corrupt',
        `${image.file} is stamped ${stamp?.buildId ?? 'not at all'}, expected ${image.buildId}`,
      );
    return { note: `${found.size} entries equal, stamp ${stamp.buildId}` };
  },
};
