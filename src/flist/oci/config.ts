import { z } from 'zod';
import { isDigest } from './digest.ts';
import { checked, parseJson } from './documents.ts';
import type { Platform } from './platform.ts';

/** What an image says of itself (OCI image spec, "Image Configuration"; Docker's is the same). */
export interface ImageConfig {
  readonly platform: Platform;
  /** When it was made, in seconds since the epoch. */
  readonly created?: number;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=VALUE` each. */
  readonly env: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  /** The digest of each layer's plain tar archive, from the lowest up. */
  readonly diffIds: readonly string[];
}

/** More bytes than any configuration has; most are below 20 KiB. */
export const configLimit = 8 << 20;

/** Docker takes a single text in the place of a list. */
const words = z
  .union([z.array(z.string()), z.string().transform((word) => [word])])
  .nullish()
  .transform((list) => list ?? []);

const shape = z.object({
  architecture: z.string().default(''),
  os: z.string().default('linux'),
  variant: z.string().nullish(),
  created: z.string().nullish(),
  config: z
    .object({
      Entrypoint: words,
      Cmd: words,
      Env: words,
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().refine(isDigest, 'is no sha256 or sha512 digest')) }),
});

/** Reads a configuration. @throws Failure `corrupt`. */
export function parseConfig(text: Uint8Array, name: string): ImageConfig {
  const { architecture, os, variant, created, config, rootfs } = checked(shape, parseJson(text, name), name);
  const seconds = Math.floor(Date.parse(created ?? '') / 1000);
  return {
    platform: { os, architecture, ...(variant && { variant }) },
    ...(Number.isSafeInteger(seconds) && { created: seconds }),
    entrypoint: config?.Entrypoint ?? [],
    cmd: config?.Cmd ?? [],
    env: config?.Env ?? [],
    ...(config?.WorkingDir && { workingDir: config.WorkingDir }),
    ...(config?.User && { user: config.User }),
    diffIds: rootfs.diff_ids,
  };
}
