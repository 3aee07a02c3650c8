import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const TESTS = ['**/*.test.ts', '**/*testing.ts', '**/*fixture.ts'];

const RECURSIVE_MKDIR = {
  selector: 'CallExpression[callee.name=/^mkdir(Sync)?$/] Property[key.name="recursive"]',
  message: "Its parents get the leaf's mode, and may lead to a container's files: use base/files.ts.",
};

/** What the kernel tells of itself is regular. */
const WHOLE_FILE = {
  selector:
    'CallExpression[callee.name=/^(readFile|readFileSync|createReadStream)$/]' +
    ':not([arguments.0.value=/^.(proc|sys)./]):not([arguments.0.quasis.0.value.raw=/^.(proc|sys)./])',
  message: 'It may be a fifo, a device or endless: readText or readRegular of base/files.ts.',
};

const DELIMITED = {
  selector: 'CallExpression[callee.property.name="join"][arguments.0.value=/^[:;,]$/]',
  message: 'A part may have the separator in it: delimited of base/delimited.ts.',
};

export default tseslint.config(
  { ignores: ['build/', 'bin/', 'api/cri/generated/', '.cache/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', 'scripts/*.mjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Numbers and booleans in messages read as they are; objects are still refused.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => doIt()` as a callback that returns void is how the code base writes one-liners.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-params': ['error', 4],
    },
  },
  {
    // A daemon that writes to its standard error waits for who reads it: what it has to say goes to the logger, which does not.
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**', '**/*.test.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'process', property: 'stderr', message: 'Use the logger.' }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/base/files.ts', ...TESTS],
    rules: { 'no-restricted-syntax': ['error', RECURSIVE_MKDIR] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/base/**', ...TESTS],
    rules: { 'no-restricted-syntax': ['error', RECURSIVE_MKDIR, WHOLE_FILE, DELIMITED] },
  },
  {
    // What these rooms read may have been damaged: a pipe in the place of a file would never end.
    files: [
      'src/sandbox/**',
      'src/cni/**',
      'src/runtime-service/container/**',
      'src/oci/pid-file.ts',
      'src/base/object-store.ts',
    ],
    ignores: TESTS,
    rules: {
      'no-restricted-imports': [
        'error',
        ...['node:fs', 'node:fs/promises'].map((name) => ({
          name,
          importNames: ['readFile', 'readFileSync'],
          message: 'readText of base/files.ts waits for nothing but a file.',
        })),
      ],
    },
  },
  { files: ['*.js', 'scripts/*.mjs'], ...tseslint.configs.disableTypeChecked },
);
