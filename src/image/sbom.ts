import { digestOf } from '../base/digest.ts';

/** A package as the bill of materials names it. */
export interface SbomPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture?: string | undefined;
  readonly sha256?: string | undefined;
  /** Package URL (purl) type and namespace: `deb/debian`, `npm`. */
  readonly type: string;
}

export interface SbomSubject {
  readonly name: string;
  readonly version: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly packages: readonly SbomPackage[];
}

/**
 * The bill of materials of an image in SPDX 2.3 JSON. Every id and the namespace derive from the content, so that the same
 * image has the same document.
 */
export function spdxDocument({ name, version, created, packages }: SbomSubject): string {
  const id = (text: string) => `SPDXRef-${text.replace(/[^A-Za-z0-9.-]/g, '-')}`;
  const image = { SPDXID: id(`image-${name}`), name, versionInfo: version };
  const components = packages.map((part) => ({
    SPDXID: id(`package-${part.name}-${part.version}`),
    name: part.name,
    versionInfo: part.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(part.sha256 && { checksums: [{ algorithm: 'SHA256', checksumValue: part.sha256 }] }),
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl(part) },
    ],
  }));
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${name}-${version}`,
    documentNamespace: `urn:zosbuilder:sbom:${digestOf([name, version, packages])}`,
    creationInfo: {
      created: new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: zosbuilder'],
    },
    documentDescribes: [image.SPDXID],
    packages: [
      {
        ...image,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'NOASSERTION',
        copyrightText: 'NOASSERTION',
      },
      ...components,
    ],
    relationships: components.map((part) => ({
      spdxElementId: image.SPDXID,
      relationshipType: 'CONTAINS',
      relatedSpdxElement: part.SPDXID,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function purl({ type, name, version, architecture }: SbomPackage): string {
  return `pkg:${type}/${encodeURIComponent(name)}@${encodeURIComponent(version)}${architecture ? `?arch=${architecture}` : ''}`;
}
