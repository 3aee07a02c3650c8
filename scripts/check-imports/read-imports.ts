import ts from 'typescript';

/** One import as it is written. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `type` leaves nothing at run time; `worker` is a file that is started, not loaded: `new URL('./x.js', import.meta.url)`. */
  readonly kind: 'value' | 'type' | 'worker';
}

/** All imports of a TypeScript source: declarations, re-exports, `import()`, import types and workers. */
export function readImports(path: string, text: string): Import[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const imports: Import[] = [];
  const visit = (node: ts.Node): void => {
    const found = importOf(node);
    if (found !== undefined) {
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
      imports.push({ ...found, line });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return imports;
}

type Found = Omit<Import, 'line'> | undefined;

function importOf(node: ts.Node): Found {
  if (ts.isImportDeclaration(node)) {
    const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return found(node.moduleSpecifier, typeOnly ? 'type' : 'value');
  }
  if (ts.isExportDeclaration(node)) return found(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'value');
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return found(node.argument.literal, 'type');
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return found(node.arguments[0], 'value');
  }
  return ts.isNewExpression(node) ? workerOf(node) : undefined;
}

function workerOf(node: ts.NewExpression): Found {
  const [path, base] = node.arguments ?? [];
  if (!ts.isIdentifier(node.expression) || node.expression.text !== 'URL' || base === undefined) return undefined;
  const result = found(path, 'worker');
  return result !== undefined && /\.[cm]?js$/.test(result.specifier) ? result : undefined;
}

function found(specifier: ts.Node | undefined, kind: Import['kind']): Found {
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? { specifier: specifier.text, kind } : undefined;
}
