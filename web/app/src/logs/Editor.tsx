import 'monaco-editor/esm/vs/editor/edcore.main.js';
import * as monaco from 'monaco-editor/esm/vs/editor/editor.api';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker?worker';
import KustoWorker from '@kusto/monaco-kusto/release/esm/kusto.worker?worker';
import { getKustoWorker, kustoDefaults } from '@kusto/monaco-kusto';
import { useEffect, useRef } from 'react';
import type { Catalogue, ShowSchema } from '../api/query';
import { useLook } from '../shell/theme';
import { completionFilter } from './completion';

self.MonacoEnvironment = {
  getWorker: (_id, label) => (label === 'kusto' ? new KustoWorker() : new EditorWorker()),
};

export interface Squiggle {
  line: number;
  column: number;
  message: string;
}

export interface EditorHandle {
  /** The query to run: the selection, or the query under the cursor (queries are parted by empty lines). */
  current(): Promise<{ text: string; line: number; column: number }>;
  /** Puts text where the cursor is. */
  insert(text: string): void;
  format(): void;
  focus(): void;
}

// What a row of several queries is made of comes from the language service itself; when it is not there yet,
// the block between empty lines is the same thing.
function blockAround(model: monaco.editor.ITextModel, line: number): { text: string; line: number } {
  const empty = (n: number) => !model.getLineContent(n).trim();
  let a = line;
  while (a > 1 && empty(a)) a--;
  while (a > 1 && !empty(a - 1)) a--;
  let b = Math.max(a, line);
  while (b < model.getLineCount() && !empty(b + 1)) b++;
  return { text: model.getValueInRange(new monaco.Range(a, 1, b, model.getLineMaxColumn(b))), line: a };
}

/** Microsoft's Kusto editor over picket's schema. */
export default function Editor({
  value,
  onChange,
  onRun,
  schema,
  workspace,
  catalogue,
  squiggles,
  handle,
  label = 'Query',
  readOnly,
}: {
  value: string;
  onChange?: (v: string) => void;
  onRun?: () => void;
  schema: ShowSchema | undefined;
  workspace: string;
  catalogue: Catalogue | undefined;
  squiggles?: Squiggle[];
  handle?: { current: EditorHandle | null };
  label?: string;
  readOnly?: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor | null>(null);
  const calls = useRef({ onChange, onRun });
  calls.current = { onChange, onRun };
  const { dark } = useLook();

  useEffect(() => {
    const e = monaco.editor.create(box.current!, {
      language: 'kusto',
      value,
      ariaLabel: label,
      minimap: { enabled: false },
      automaticLayout: true,
      scrollBeyondLastLine: false,
      fontSize: 13,
      lineNumbersMinChars: 3,
      folding: true,
      renderLineHighlight: 'line',
      fixedOverflowWidgets: true,
      padding: { top: 8 },
      readOnly,
      // Tab leaves the editor with Ctrl+M first, as Monaco's accessibility help says.
      accessibilitySupport: 'auto',
      suggest: { showIcons: true, selectionMode: 'whenQuickSuggestion' },
    });
    editor.current = e;
    e.onDidChangeModelContent(() => calls.current.onChange?.(e.getValue()));
    e.addCommand(monaco.KeyMod.Shift | monaco.KeyCode.Enter, () => calls.current.onRun?.());
    e.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter, () => calls.current.onRun?.());
    if (handle)
      handle.current = {
        async current() {
          const model = e.getModel()!;
          const sel = e.getSelection();
          if (sel && !sel.isEmpty()) return { text: model.getValueInRange(sel), line: sel.startLineNumber, column: sel.startColumn };
          const at = e.getPosition() ?? new monaco.Position(1, 1);
          try {
            const worker = await (await getKustoWorker())(model.uri);
            const c = await worker.getCommandAndLocationInContext(model.uri.toString(), model.getOffsetAt(at));
            if (c?.text.trim()) return { text: c.text, line: c.range.startLineNumber, column: c.range.startColumn };
          } catch {
            // the language service is not up: the block is the query
          }
          const b = blockAround(model, at.lineNumber);
          return { text: b.text, line: b.line, column: 1 };
        },
        insert(text) {
          const at = e.getSelection() ?? new monaco.Selection(1, 1, 1, 1);
          const before = e.getModel()!.getValueInRange(new monaco.Range(at.startLineNumber, Math.max(1, at.startColumn - 1), at.startLineNumber, at.startColumn));
          e.executeEdits('schema', [{ range: at, text: (/[\w)\]'"]/.test(before) ? ' ' : '') + text, forceMoveMarkers: true }]);
          e.focus();
        },
        format: () => void e.getAction('editor.action.formatDocument')?.run(),
        focus: () => e.focus(),
      };
    return () => {
      if (handle) handle.current = null;
      e.getModel()?.dispose();
      e.dispose();
      editor.current = null;
    };
    // The editor is made once; later values come through the effects below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const e = editor.current;
    if (e && e.getValue() !== value) e.setValue(value);
  }, [value]);

  useEffect(() => {
    monaco.editor.setTheme(dark ? 'kusto-dark' : 'kusto-light');
  }, [dark]);

  useEffect(() => {
    if (!schema) return;
    const model = editor.current?.getModel();
    if (!model) return;
    let live = true;
    void (async () => {
      const worker = await (await getKustoWorker())(model.uri);
      if (!live) return;
      const db = Object.keys(schema.Databases)[0] ?? workspace;
      await worker.setSchemaFromShowSchema(schema, 'https://' + location.host, db);
      // Ask for a new validation: the text did not change, its meaning did.
      if (live) model.pushEditOperations([], [{ range: new monaco.Range(1, 1, 1, 1), text: '' }], () => null);
    })();
    return () => {
      live = false;
    };
  }, [schema, workspace]);

  useEffect(() => {
    const keep = completionFilter(catalogue);
    kustoDefaults.setLanguageSettings({
      ...kustoDefaults.languageSettings,
      onDidProvideCompletionItems: (list) => Promise.resolve({ ...list, items: list.items.filter((i) => keep(i)) }),
    });
  }, [catalogue]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (!model) return;
    // A second owner: what the server said stands beside what Kusto's own binder says.
    monaco.editor.setModelMarkers(
      model,
      'picket',
      (squiggles ?? []).flatMap((s) => {
        const line = Math.min(Math.max(s.line, 1), model.getLineCount());
        const column = Math.min(Math.max(s.column, 1), model.getLineMaxColumn(line));
        const word = model.getWordAtPosition({ lineNumber: line, column });
        return [{ severity: monaco.MarkerSeverity.Error, message: s.message, startLineNumber: line, endLineNumber: line, startColumn: column, endColumn: word ? word.endColumn : column + 1 }];
      }),
    );
  }, [squiggles]);

  return <div ref={box} style={{ height: '100%', width: '100%' }} />;
}
