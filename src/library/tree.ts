/** `zosbuilder/tree`: a file tree as a value, what it can be made of and what it can become. */
export { Failure, type FailureKind } from '../base/errors.ts';
export { bytesContent, type Content, fileContent } from '../tree/content.ts';
export { dumpTree, parseTreeDump } from '../tree/dump.ts';
export { treeFromCpio } from '../tree/from-cpio.ts';
export { treeFromDirectory } from '../tree/from-directory.ts';
export { treeFromTar } from '../tree/from-tar.ts';
export { overlay } from '../tree/overlay.ts';
export { type CpioOptions, cpioOf } from '../tree/to-cpio.ts';
export { type ToDirectoryOptions, writeTreeToDirectory } from '../tree/to-directory.ts';
export { tarOf } from '../tree/to-tar.ts';
export {
  type DeviceEntry,
  type DirectoryEntry,
  type Entry,
  type EntryKind,
  type FileEntry,
  type Metadata,
  type SpecialEntry,
  type SymlinkEntry,
  Tree,
} from '../tree/tree.ts';
