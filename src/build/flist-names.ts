export type FlistKind = 'modules' | 'firmware';

/** The flists of an image: decided once, in the stage modules_setup; the image asks for them and `publish` makes them. */
export interface FlistsValue {
  readonly names: Readonly<Record<FlistKind, string>>;
  readonly firmwareTag: string;
}

/** The manifests that an image asks for by name. */
export function flistNames(release: string, firmwareTag: string): FlistsValue['names'] {
  return { modules: `modules-${release}.fl`, firmware: `firmware-${firmwareTag}.fl` };
}
