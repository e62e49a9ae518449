import { FuseError } from './fuse-error.ts';
import { type Feature, featureBit, newestMinor, oldestMinor, protocolMajor } from './protocol.ts';
import { encodeInit } from './reply.ts';
import type { Request } from './request.ts';

export type InitRequest = Extract<Request, { kind: 'init' }>;

/** What a kernel and a server agreed on: plain data, for the one that takes over. */
export interface NegotiatedSession {
  /** The minor version of the protocol that both speak. */
  readonly minor: number;
  /** In alphabetical order. */
  readonly features: readonly Feature[];
}

/** What a filesystem may want or not: the rest is good for every read-only one, and always asked for. */
export type OptionalFeature = Extract<Feature, 'passthrough' | 'posixAcl'>;

const optional: readonly Feature[] = ['passthrough', 'posixAcl'] satisfies OptionalFeature[];

const allFeatures = (Object.keys(featureBit) as Feature[]).sort();

/**
 * What we want of what the kernel offers.
 * @param without what is not wanted although it would be good
 * @throws FuseError `failed` when the kernel speaks a version of the protocol that is not served.
 */
export function negotiate(
  request: InitRequest,
  wanted: readonly OptionalFeature[],
  without: readonly Feature[] = [],
): NegotiatedSession {
  if (request.major < protocolMajor || (request.major === protocolMajor && request.minor < oldestMinor))
    throw new FuseError(
      'failed',
      `the kernel speaks FUSE ${request.major}.${request.minor}, needed is ${protocolMajor}.${oldestMinor} (Linux 5.4) or newer`,
    );
  const offers = (feature: Feature) =>
    hasBit(request, featureBit[feature]) &&
    (featureBit[feature] < 32 || hasBit(request, featureBit.initExt)) &&
    !without.includes(feature) &&
    (!optional.includes(feature) || wanted.includes(feature as OptionalFeature));
  return {
    minor: Math.min(newestMinor, request.major === protocolMajor ? request.minor : newestMinor),
    features: allFeatures.filter(offers),
  };
}

function hasBit({ flags, flags2 }: InitRequest, bit: number): boolean {
  return ((bit < 32 ? flags >>> bit : flags2 >>> (bit - 32)) & 1) === 1;
}

/** The reply to INIT. */
export function initReply(request: InitRequest, { minor, features }: NegotiatedSession): Buffer {
  const bits: number[] = features.map((feature) => featureBit[feature]);
  return encodeInit(protocolMajor, {
    minor,
    maxReadahead: request.maxReadahead,
    flags: bits.filter((bit) => bit < 32).reduce((all, bit) => all | (1 << bit), 0),
    flags2: bits.filter((bit) => bit >= 32).reduce((all, bit) => all | (1 << (bit - 32)), 0),
    maxBackground: 256,
    congestionThreshold: 192,
    maxWrite: 4096,
    maxPages: 256,
    // One more file system, such as an overlay, may lie on top.
    maxStackDepth: features.includes('passthrough') ? 1 : 0,
  });
}
