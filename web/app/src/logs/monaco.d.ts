// Modules without their own types.
declare module 'monaco-editor/esm/vs/editor/edcore.main.js';
declare module '@kusto/monaco-kusto/release/esm/kusto.worker?worker' {
  const W: new () => Worker;
  export default W;
}
