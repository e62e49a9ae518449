export type FlistKind = 'modules' | 'firmware';

/** The manifests that an image asks for by name. */
export function flistNames(release: string, firmwareTag: string): Record<FlistKind, string> {
  return { modules: `modules-${release}.fl`, firmware: `firmware-${firmwareTag}.fl` };
}

/** The tag of the firmware flist: `FIRMWARE_TAG` of the environment, else as the recipe says, or the name of the suite. */
export function firmwareTag(recipeTag: string, suite: string): string {
  return process.env['FIRMWARE_TAG'] || (recipeTag === 'suite' ? suite : recipeTag);
}
