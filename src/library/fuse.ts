/** `zosbuilder/fuse`: a read-only file system in plain Node, without a native addon. */
export { checkBacking, closeBacking, openBacking } from '../fuse/backing.ts';
export { openDevice, sendReply } from '../fuse/device.ts';
export { FuseError, type FuseErrorKind } from '../fuse/fuse-error.ts';
export {
  type BegunMount,
  beginMount,
  type MountOptions,
  mountDevice,
  raiseReadahead,
  unmount,
} from '../fuse/mount-point.ts';
export { findMount, type MountEntry } from '../fuse/mount-table.ts';
export type { NegotiatedSession, OptionalFeature } from '../fuse/negotiate.ts';
export { notifyInvalidate, notifyInvalidateEntry, notifyResend, notifyStore } from '../fuse/notify.ts';
export { OpenFiles } from '../fuse/open-files.ts';
export { type Errno, type Feature, rootNode } from '../fuse/protocol.ts';
export {
  type Attributes,
  type DirectoryEntry,
  type Entry,
  type ExtendedAttributes,
  noEntry,
  type OpenAnswer,
  type Statfs,
} from '../fuse/reply.ts';
export { RequestLog } from '../fuse/request-log.ts';
export { type Filesystem, later, type SessionOptions, serve } from '../fuse/session.ts';
