import { type BegunMount, beginMount } from '../fuse/mount-point.ts';
import { asFailure } from './fuse-failure.ts';

/** As rfs mounts, so that Zero-OS recognises it: type `fuse.g8ufs`, and the source is a pid of the mount. */
const subtype = 'g8ufs';
const options = ['ro', 'nodev', 'allow_other', 'default_permissions'];

/**
 * Opens a connection for a flist on a directory, as `beginMount` does. The source is this process, if nothing else is said.
 * @throws Failure when there is no FUSE, no right to mount, or the directory cannot be used.
 */
export async function beginFlistMount(mountpoint: string): Promise<BegunMount> {
  try {
    return await beginMount({ mountpoint, source: String(process.pid), subtype, options });
  } catch (error) {
    throw asFailure(error);
  }
}
