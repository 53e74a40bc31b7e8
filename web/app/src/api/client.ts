// The one place that talks to the server. Every call carries the session cookie; calls that change something
// carry the session's CSRF value too.

export class ApiError extends Error {
  status: number;
  code: string;
  /** The form field at fault, when the server names one. */
  target?: string;
  /** Position in a query, from 1. */
  line?: number;
  column?: number;
  constructor(status: number, code: string, message: string, target?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.target = target;
  }
}

let csrf = '';
export function setCsrf(value: string | undefined) {
  csrf = value ?? '';
}

/** Called when the server says that the session has ended. */
let onSignedOut: () => void = () => {};
export function whenSignedOut(f: () => void) {
  onSignedOut = f;
}

interface ErrorNode {
  code?: string;
  message?: string;
  target?: string;
  line?: number;
  pos?: number;
  column?: number;
  innererror?: ErrorNode;
}

/** Azure errors nest; the innermost message is the useful one. */
export function readError(status: number, body: unknown, fallback: string): ApiError {
  let node = (body as { error?: ErrorNode } | null)?.error;
  if (!node || typeof node !== 'object') return new ApiError(status, 'HTTP ' + status, fallback);
  const target = node.target;
  let { code, message } = node;
  let line = node.line;
  let column = node.pos ?? node.column;
  while (node.innererror) {
    node = node.innererror;
    code = node.code ?? code;
    message = node.message ?? message;
    line = node.line ?? line;
    column = node.pos ?? node.column ?? column;
  }
  const e = new ApiError(status, code ?? 'HTTP ' + status, message ?? fallback, target);
  if (line != null) e.line = line;
  if (column != null) e.column = column;
  return e;
}

export interface CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function send(path: string, o: CallOptions = {}): Promise<Response> {
  const method = o.method ?? (o.json !== undefined || o.body !== undefined ? 'POST' : 'GET');
  const headers: Record<string, string> = { Accept: 'application/json', ...o.headers };
  if (o.json !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrf) headers['X-Picket-CSRF'] = csrf;
  let res: Response;
  try {
    res = await fetch(path, {
      method,
      headers,
      body: o.json !== undefined ? JSON.stringify(o.json) : o.body,
      signal: o.signal,
      credentials: 'same-origin',
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ApiError(0, 'Unreachable', 'picket does not answer. It may be restarting: try again in a moment.');
  }
  if (!res.ok) {
    const text = await res.text();
    let body: unknown = null;
    try {
      body = JSON.parse(text);
    } catch {
      // not JSON: the status says what there is to say
    }
    const err = readError(res.status, body, `${method} ${path.split('?')[0]} answered ${res.status}. ${text.slice(0, 200)}`);
    if (res.status === 401 && err.code !== 'InvalidCredentials') onSignedOut();
    throw err;
  }
  return res;
}

export async function call<T>(path: string, o: CallOptions = {}): Promise<T> {
  const res = await send(path, o);
  if (res.status === 204 || res.headers.get('Content-Length') === '0') return undefined as T;
  const text = await res.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export interface List<T> {
  value: T[];
  nextLink?: string;
  total?: number;
}

/** Saves bytes under a name. */
export function saveAs(name: string, data: Blob) {
  const url = URL.createObjectURL(data);
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function downloadFile(path: string) {
  const res = await send(path);
  const cd = res.headers.get('Content-Disposition') ?? '';
  const star = /filename\*=UTF-8''([^;]+)/.exec(cd)?.[1];
  const name = star ? decodeURIComponent(star) : (/filename="([^"]+)"/.exec(cd)?.[1] ?? 'download');
  saveAs(name, await res.blob());
}
