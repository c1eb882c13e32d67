import tseslint from 'typescript-eslint';

const sizes = {
  'max-lines': ['error', 300],
  'max-len': [
    'error',
    { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreUrls: true },
  ],
  'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }],
  complexity: ['error', 20],
  'max-depth': ['error', 4],
  'max-params': ['error', 5],
};

const onlyRunner = 'only src/transaction publishes: give publishChange a Change, or publishRemoval a Removal';

/** The runner judges before it publishes, and plans again what came meanwhile: nobody goes past it. */
const publishing = [
  { selector: "CallExpression[callee.property.name='publish']", message: onlyRunner },
  { selector: "CallExpression[callee.property.name='change'] > .arguments[params.length>1]", message: onlyRunner },
];

const asText = 'what is shown comes from containers too: make text nodes of it';
const asHtml = [
  { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: asText },
  { selector: 'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/]', message: asText },
];

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'coverage/', 'node_modules/', 'native/', 'images/'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...sizes,
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowAny: false },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // An empty or ignored `catch` is how a failure gets lost.
      'no-empty': ['error', { allowEmptyCatch: false }],
      // `for (;;)` and `while (true)` are how retry and read loops are told.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/store/**', 'src/transaction/**'],
    rules: { 'no-restricted-syntax': ['error', ...publishing] },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**', 'src/platform/command-line.ts', 'src/base/this-command.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'argv', message: 'the command line is the business of src/cli: commandWords()' },
        { object: 'process', property: 'emitWarning', message: 'src/cli says how warnings look: warn()' },
      ],
    },
  },
  {
    // Names from containers are shown as text, never as HTML.
    files: ['page/**/*.ts', 'page/**/*.tsx'],
    languageOptions: { parserOptions: { project: './page/tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: { 'no-restricted-syntax': ['error', ...asHtml] },
  },
  {
    // A component is mostly markup, of which prettier puts each attribute on a line of its own.
    files: ['page/**/*.tsx'],
    rules: { 'max-lines-per-function': ['error', { max: 75, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      complexity: 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['**/*.mjs', '**/*.cjs'], extends: [tseslint.configs.base], rules: sizes },
);
