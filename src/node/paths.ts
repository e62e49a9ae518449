/** Where a node keeps what its parts tell each other. The shell scripts in `config/` know the same names. */
export const paths = {
  cmdline: '/proc/cmdline',
  console: '/dev/console',
  /** `BUILD_ID`, `KERNEL_RELEASE`, `BUILD_DATE` of the image. */
  buildId: '/etc/zero-os-build-id',
  /** `MODULES_FLIST`, `FIRMWARE_FLIST` and perhaps `FLISTS_BASE_URL`. */
  flists: '/etc/zero-os-flists',
  environment: '/etc/environment',
  units: '/etc/zinit',
  cache: '/var/cache/flists',
  /** The image's own `modules.dep`, saved by `/init`. */
  imageModules: '/run/zos/image-modules.dep',
  /** Downloaded manifests, and how each flist ended. */
  flistState: '/run/zos/flists',
  /** A file for each daemon whose work has ended, well or not; it holds the daemon's pid. */
  settled: '/run/zos/settled',
  status: '/run/zos/status.json',
  /** A file for each process group that the supervisor has started. */
  services: '/run/zos/services',
  supervisorPid: '/run/zos/supervisor.pid',
} as const;
