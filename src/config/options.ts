import type { Option } from './option.js';

/** The handler that is there without being configured, where its program is. */
export const BUILT_IN_HANDLER = 'runc';

/**
 * The option table. Parser, validator, the `Config` type, `conf/gantry.yaml` and `docs/configuration.md` come from
 * it; a new option is a new row and `make generate`.
 */
export const OPTIONS = [
  {
    key: 'root',
    type: 'path',
    default: '/var/lib/gantry',
    description: 'Directory of what outlives a reboot: images, and the records of sandboxes and containers.',
  },
  {
    key: 'state',
    type: 'path',
    default: '/run/gantry',
    description: 'Directory of what a reboot may remove: sockets, pid files and exit files. It belongs on a tmpfs.',
  },
  {
    key: 'listen',
    type: 'socket',
    default: '/run/gantry/gantry.sock',
    description: 'The unix socket on which the CRI services are served. A leading unix:// is accepted.',
  },
  {
    key: 'cgroup_driver',
    type: 'choice',
    choices: ['auto', 'cgroupfs', 'systemd'],
    default: 'auto',
    description:
      'Who makes the cgroups of pods. "auto" takes systemd where systemd runs, else cgroupfs; kubelet is told through RuntimeConfig.',
  },
  {
    key: 'runtime.default_handler',
    type: 'handler',
    default: BUILT_IN_HANDLER,
    description: 'The handler of pods that name none: one of runtime.handlers. Its program must exist.',
  },
  {
    key: 'runtime.monitor',
    type: 'path',
    default: '/usr/bin/conmon',
    exists: 'executable',
    description: 'The program that stays with each container, keeps its log and notes its exit: conmon.',
  },
  {
    key: 'runtime.monitor_cgroup',
    type: 'cgroup',
    default: ({ cgroupDriver }) => (cgroupDriver === 'systemd' ? 'gantry-monitors.slice' : '/gantry-monitors'),
    defaultText: '/gantry-monitors, or gantry-monitors.slice with systemd',
    description:
      'The cgroup of the monitors, apart from the daemon and from the pods. A path with cgroupfs, the name of a slice with systemd.',
  },
  {
    key: 'runtime.cgroup_parent',
    type: 'cgroup',
    default: ({ cgroupDriver }) => (cgroupDriver === 'systemd' ? 'gantry.slice' : '/gantry'),
    defaultText: '/gantry, or gantry.slice with systemd',
    description:
      'The parent cgroup of pods whose configuration names none; kubelet always names one. A path with cgroupfs, the name of a slice with systemd.',
  },
  {
    key: 'runtime.pause_command',
    type: 'path',
    default: '/usr/bin/catatonit',
    exists: 'executable',
    unless: 'image.pause_image',
    description:
      'The program, statically linked, that is process 1 of the built-in pause container. Not used where image.pause_image is set.',
  },
  {
    key: 'runtime.seccomp_profile',
    type: 'path',
    optional: true,
    default: '',
    exists: 'file-if-set',
    description:
      'A seccomp profile, in JSON of the OCI runtime specification or of Docker, which RuntimeDefault stands for. Empty: the built-in one, which "gantry seccomp print" shows.',
  },
  {
    key: 'runtime.unset_seccomp_profile',
    type: 'choice',
    choices: ['unconfined', 'runtime-default'],
    default: 'unconfined',
    description: 'The seccomp profile of containers and sandboxes whose request names none.',
  },
  {
    key: 'runtime.selinux',
    type: 'choice',
    choices: ['auto', 'off'],
    default: 'auto',
    description:
      'SELinux labels of pods. "auto" sets them where the kernel has SELinux and its policy labels for containers; "off" never, and ignores what requests say of them.',
  },
  {
    key: 'runtime.timeout',
    type: 'integer',
    default: 120,
    min: 1,
    max: 86_400,
    description: 'Seconds that one call of the runtime may take before it is killed.',
  },
  {
    key: 'runtime.max_parallel_creates',
    type: 'integer',
    default: ({ cores }) => cores * 2,
    defaultText: 'twice the number of cores',
    min: 1,
    max: 1_024,
    description:
      'Sandboxes and containers of one handler that are created at the same time; more wait for their turn, pod by pod. What takes longer than ten seconds waits for something itself and does not count.',
  },
  {
    key: 'network.conf_dir',
    type: 'path',
    default: '/etc/cni/net.d',
    description: 'Directory of the CNI network configurations. The first by name that is valid is the network of pods.',
  },
  {
    key: 'network.bin_dirs',
    type: 'paths',
    default: ['/opt/cni/bin', '/usr/lib/cni'],
    description: 'Directories in which CNI plugins are looked for, in this order.',
  },
  {
    key: 'network.netns_dir',
    type: 'path',
    default: '/run/netns',
    description: 'Directory in which the network namespaces of pods are pinned.',
  },
  {
    key: 'network.timeout',
    type: 'integer',
    default: 60,
    min: 1,
    max: 86_400,
    description: 'Seconds that one CNI plugin may take before it is killed.',
  },
  {
    key: 'image.pause_image',
    type: 'image',
    optional: true,
    default: '',
    description: 'The image of the pause container. Empty: the built-in one, which needs no pull.',
  },
  {
    key: 'image.hosts_dirs',
    type: 'paths',
    default: ['/etc/gantry/certs.d'],
    description:
      'Directories with one subdirectory for each registry, which holds its hosts.toml (mirrors, CA, client certificates) as containerd has it. The first that knows the registry counts.',
  },
  {
    key: 'image.certs_dirs',
    type: 'paths',
    default: ['/etc/containers/certs.d', '/etc/docker/certs.d'],
    description:
      'Directories with one subdirectory for each registry, which holds certificates: *.crt of authorities, *.cert and *.key of clients. For registries without a hosts.toml.',
  },
  {
    key: 'image.registries_conf',
    type: 'path',
    optional: true,
    default: '/etc/containers/registries.conf',
    exists: 'file-if-set',
    description:
      'Mirrors, blocked registries and where short names are looked for, in the format of containers-registries.conf(5), with drop-ins in <file>.d. A registry with a hosts.toml is looked up there instead. Read if it exists; where it is set here it must exist. Empty: none.',
  },
  {
    key: 'image.signature_policy',
    type: 'path',
    optional: true,
    default: '/etc/containers/policy.json',
    exists: 'file-if-set',
    description:
      'Which images may be stored, and by whom they must be signed, in the format of containers-policy.json(5). Read if it exists; where it is set here it must exist. Empty: none.',
  },
  {
    key: 'image.registries_d',
    type: 'path',
    optional: true,
    default: '/etc/containers/registries.d',
    description:
      'A directory whose *.yaml say where signatures by GPG keys are kept beside registries, in the format of containers-registries.d(5), for a signature policy that asks for them. Empty: nothing is said.',
  },
  {
    key: 'image.auth_files',
    type: 'paths',
    default: ['/run/containers/0/auth.json', '/root/.config/containers/auth.json', '/root/.docker/config.json'],
    description:
      "Credentials for registries in the format of containers-auth.json(5), for pulls that bring none: the first file that has some for the image counts, and before them that which REGISTRY_AUTH_FILE names in the daemon's environment. Those that do not exist have none.",
  },
  {
    key: 'image.namespaced_auth_dir',
    type: 'path',
    optional: true,
    default: '/etc/crio/auth',
    description:
      'Directory in which credentials are left for one pull by pods of one namespace, as crio-credential-provider does: <namespace>-<SHA-256 of registry/repository>.json, in the format of image.auth_files. A file is deleted when its pull begins. Empty: none.',
  },
  {
    key: 'image.pinned',
    type: 'patterns',
    default: [],
    description:
      "Images that kubelet's garbage collection and prune must leave: whole references (busybox is docker.io/library/busybox:latest), or patterns for them, as registry.k8s.io/* or *pause*. image.pause_image always is.",
  },
  {
    key: 'image.max_parallel_layers',
    type: 'integer',
    default: ({ cores }) => Math.min(3, Math.max(2, cores)),
    defaultText: '3, or 2 where there are fewer cores',
    min: 1,
    max: 64,
    description:
      'Layers of one image that are downloaded and unpacked at the same time, each by a thread. Of all images together it is one more, and a few more while registries are slow, so that no image waits for another one.',
  },
  {
    key: 'image.max_layer_size',
    type: 'integer',
    default: 262_144,
    min: 1,
    max: 1_073_741_824,
    description:
      'MiB that one layer may unpack to, its files together with the holes of sparse ones. A pull with a bigger layer fails.',
  },
  {
    key: 'image.max_layer_entries',
    type: 'integer',
    default: 4_000_000,
    min: 1,
    max: 1_000_000_000,
    description: 'Files, directories and links that one layer may have. A pull with a layer that has more fails.',
  },
  {
    key: 'image.stall_timeout',
    type: 'integer',
    default: 60,
    min: 1,
    max: 86_400,
    description: 'Seconds without a byte from the registry after which a pull is given up.',
  },
  {
    key: 'image.min_rate',
    type: 'integer',
    default: 1_024,
    min: 0,
    max: 1_073_741_824,
    description:
      'Bytes a second that a registry must send, over image.stall_timeout; a pull that gets fewer is given up, and goes on where it stopped when it is tried again. 0: any.',
  },
  {
    key: 'streaming.address',
    type: 'address',
    default: '127.0.0.1',
    description: 'The IP address on which exec, attach and port-forward are served to kubelet.',
  },
  {
    key: 'streaming.port',
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    description: 'The port of the same. 0: any free port.',
  },
  {
    key: 'streaming.tls_cert',
    type: 'path',
    optional: true,
    default: '',
    exists: 'file-if-set',
    description:
      'The certificate, with its chain, of the same, in PEM. Read again when it has changed. Empty: plain HTTP, for addresses that nobody else reaches.',
  },
  {
    key: 'streaming.tls_key',
    type: 'path',
    optional: true,
    default: '',
    exists: 'file-if-set',
    description: 'The key of streaming.tls_cert, in PEM.',
  },
  {
    key: 'streaming.idle_timeout',
    type: 'integer',
    default: 14_400,
    min: 0,
    max: 2_000_000,
    description: 'Seconds without a byte either way after which a session is ended. 0: never.',
  },
  {
    key: 'streaming.max_sessions',
    type: 'integer',
    default: 1_000,
    min: 1,
    max: 100_000,
    description: 'Sessions of exec, attach and port-forward at the same time; more are refused.',
  },
  {
    key: 'metrics.address',
    type: 'address',
    default: '127.0.0.1',
    description:
      'The IP address on which metrics are served over plain HTTP, at /metrics. Whoever reaches it can read them: keep it to the node.',
  },
  {
    key: 'metrics.port',
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    description: 'The port of the same. 0: no metrics are served.',
  },
  {
    key: 'log.level',
    type: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'The least important messages that are logged.',
  },
  {
    key: 'log.format',
    type: 'choice',
    choices: ['json', 'text'],
    default: 'text',
    description: '"json" writes an object a line, "text" a line for people. Logs go to standard error.',
  },
] as const satisfies readonly Option[];

/** The options of each `runtime.handlers.<name>`; `key` is the name under it. */
export const HANDLER_OPTIONS = [
  {
    key: 'path',
    type: 'path',
    default: '',
    defaultText: "the program of the handler's name in the usual directories",
    exists: 'executable',
    description: 'The program of the OCI runtime.',
  },
  {
    key: 'root',
    type: 'path',
    default: '',
    defaultText: '<state>/runtime/<name>',
    description: 'Directory in which the runtime keeps its own state (its --root).',
  },
  {
    key: 'pod_annotations',
    type: 'annotations',
    default: [],
    defaultText: 'none',
    description:
      "Annotations of pods that the runtime gets, with the sandbox and with its containers. They are the pod's author's, and runtimes take orders from some: permit single ones, or patterns as io.katacontainers.*.",
  },
  {
    key: 'container_annotations',
    type: 'annotations',
    default: [],
    defaultText: 'none',
    description:
      "Annotations of containers that the runtime gets. kubelet's and those of device plugins are among them; the same holds for them.",
  },
] as const satisfies readonly Option[];

export const HANDLERS_KEY = 'runtime.handlers';
