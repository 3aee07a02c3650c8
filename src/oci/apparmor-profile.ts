/** The name under which the kernel knows the profile that RuntimeDefault stands for. */
export const DEFAULT_NAME = 'gantry-default';

/**
 * The default AppArmor profile (apparmor.d(5)): what keeps a container from its node even where it has the
 * capabilities for it. It needs no file of the distribution's, so that it is the same everywhere.
 * @param daemon the profile of this daemon, whose signals containers take; usually `unconfined`.
 */
export function defaultProfile(daemon: string, name = DEFAULT_NAME): string {
  const senders = new Set(['unconfined', 'runc', 'crun', 'conmon', daemon]);
  return `profile ${name} flags=(attach_disconnected,mediate_deleted) {
  # Files, network and capabilities are for permissions, namespaces and seccomp to limit.
  file,
  network,
  capability,
  umount,

  # Nothing is mounted, with CAP_SYS_ADMIN neither.
  deny mount,

  # Signals come from the node, and go no further than this profile.
${[...senders].map((sender) => `  signal (receive) peer="${sender}",`).join('\n')}
  signal (send, receive) peer=${name},
  ptrace (trace, read, tracedby, readby) peer=${name},

  # Below /proc only what belongs to processes can be written, and limits of shared memory.
  deny /proc/* w,
  deny /proc/{[^1-9s],s[^y],sy[^s]}*/** w,
  deny /proc/sys/[^k]** w,
  deny /proc/sys/k[^e]** w,
  deny /proc/sys/kernel/{[^s],s[^h],sh[^m]}** w,
  deny /proc/kcore rwklx,
  deny /proc/sysrq-trigger rwklx,

  # Below /sys only cgroups can be written.
  deny /sys/{[^f],f[^s]}*/** wklx,
  deny /sys/fs/{[^c],c[^g],cg[^r]}*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;
}
