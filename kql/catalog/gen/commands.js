// Writes commands_gen.go: the grammar of every management command and the columns of its result, read from
// Microsoft's language service, whose grammar is built of parser combinators. They are replaced by recorders here,
// so that what comes out is the grammar as data.
//
//	npm install --prefix DIR @kusto/language-service-next@12.4.1
//	node kql/catalog/gen/commands.js DIR | gofmt > kql/catalog/commands_gen.go
'use strict';
const path = require('path');
const lib = path.join(path.resolve(process.argv[2] || '.'), 'node_modules', '@kusto', 'language-service-next');
require(path.join(lib, 'bridge.js'));
require(path.join(lib, 'Kusto.Language.Bridge.js'));
const real = globalThis.Kusto.Language;

class Node {
  constructor(op, kids, text) { this.op = op; this.kids = kids || []; this.text = text; }
  Hide$1() { return this; }
  WithTag$1() { return this; }
  Cast() { return this; }
}
const nodes = list => list.map(n => { if (!(n instanceof Node)) throw new Error('not a parser: ' + n); return n; });
const array = a => Array.isArray(a) ? a : (() => { throw new Error('no list'); })();
const strict = (name, table) => new Proxy(table, { get(t, k) { if (k in t) return t[k]; throw new Error(name + '.' + String(k) + ' is unknown to the generator'); } });

const token = texts => new Node('token', [], texts);
const seq = (...args) => new Node('seq', nodes(args.filter(a => a instanceof Node)));
const list = (min, elem, sep, missing, trailing) => {
  if (missing || trailing) throw new Error('a list with options that the generator does not know');
  return new Node(min ? 'oneOrMore' : 'zeroOrMore', nodes(sep ? [elem, sep] : [elem]));
};
const grammar = {
  CD: () => null, CD$1: () => null,
  Custom$9: parsers => new Node('seq', nodes(array(parsers))),
  Token: t => token([t]), Token$1: t => token([t]), Token$2: ts => token(array(ts)),
  OneOrMoreCommaList: (e, m, t) => list(1, e, token([',']), m, t),
  ZeroOrMoreCommaList: (e, m, t) => list(0, e, token([',']), m, t),
  OneOrMoreList: (e, s, m, t) => list(1, e, s, m, t),
  ZeroOrMoreList: (e, s, m, t) => list(0, e, s, m, t),
  Command: (name, content) => new Node('command', nodes([content]), name),
  CommandParserInfo: function (kind, parser) { this.kind = kind; this.parser = parser; },
};
for (const k of ['Custom', 'Custom$1', 'Custom$2', 'Custom$3', 'Custom$4', 'Custom$5', 'Custom$6', 'Custom$7', 'Custom$8']) grammar[k] = seq;
const parsers = strict('Parsers', {
  Best$1: (_, ps) => new Node('best', nodes(array(ps))),
  Optional$1: (_, p) => new Node('opt', nodes([p])),
  Not: p => new Node('not', nodes([p])),
  And: ps => new Node('seq', nodes(array(ps))),
  If$1: (_, test, p) => {
    if (test.op !== 'not') throw new Error('a test that the generator does not know');
    return new Node('unless', nodes([test.kids[0], p]));
  },
});
const rules = new Proxy({}, { get: (t, k) => t[k] || (t[k] = new Node('rule', [], String(k))) });
const Kusto = { Language: {
  Parsing: strict('Parsing', { CommandGrammar: strict('CommandGrammar', grammar), Parsers$1: () => parsers, LexicalToken: null, Parser$1: () => null }),
  Syntax: strict('Syntax', { SyntaxElement: null, CustomElementDescriptor: null }),
  Editor: { CompletionHint: real.Editor.CompletionHint, CompletionKind: real.Editor.CompletionKind },
} };
const System = { Array: { init: a => a } };
const source = real.Parsing.EngineCommandGrammar.prototype.CreateCommandParsers.toString();
const commands = new Function('Kusto', 'System', 'rules', 'return (' + source + ')(rules)')(Kusto, System, rules);

// text of a node; what stands several times gets a number
const sign = { seq: 's', best: 'b', opt: 'o', unless: 'u', oneOrMore: '+', zeroOrMore: '*' };
const seen = new Map(), shared = new Map();
function plain(n) {
  if (n.plain) return n.plain;
  if (n.op === 'rule') return n.plain = '%' + n.text;
  if (n.op === 'token') {
    for (const t of n.text) if (/[\s"\\`]/.test(t)) throw new Error('a token with blanks: ' + t);
    return n.plain = '"' + n.text.join(' ') + '"';
  }
  if (n.op === 'seq' && n.kids.length === 1) return n.plain = plain(n.kids[0]);
  if (!sign[n.op]) throw new Error('a node of an unknown kind: ' + n.op);
  return n.plain = '(' + sign[n.op] + n.kids.map(k => ' ' + plain(k)).join('') + ')';
}
function count(n) {
  const p = plain(n);
  seen.set(p, (seen.get(p) || 0) + 1);
  if (seen.get(p) === 1) n.kids.forEach(count);
}
const defs = [];
function write(n) {
  const p = plain(n);
  if (n.op === 'seq' && n.kids.length === 1) return write(n.kids[0]);
  const body = () => n.op === 'rule' || n.op === 'token' ? p : '(' + sign[n.op] + n.kids.map(k => ' ' + write(k)).join('') + ')';
  if (p.length < 24 || seen.get(p) < 2) return body();
  if (!shared.has(p)) {
    const b = body();
    shared.set(p, '#' + defs.length);
    defs.push(b);
  }
  return shared.get(p);
}
for (const c of commands) count(c.parser.kids[0]);
const globals = real.GlobalState.Default;
const bridgeList = l => { const o = []; for (let i = 0, n = l ? System2.getCount(l) : 0; i < n; i++) o.push(System2.getItem(l, i)); return o; };
const System2 = globalThis.System.Array;
const lines = commands.map(c => {
  const s = globals.GetCommand(c.kind);
  const cols = s && s.ResultType && s.ResultType.Columns ? bridgeList(s.ResultType.Columns).map(x => x.Name + ':' + x.Type.Name) : [];
  for (const x of cols) if (/[\s`]/.test(x)) throw new Error('a column with blanks: ' + x);
  return c.kind + '\t' + cols.join(',') + '\t' + write(c.parser.kids[0]);
});
process.stdout.write(`// Code generated by commands.js from @kusto/language-service-next 12.4.1 (MIT, Microsoft). DO NOT EDIT.

package catalog

// commandParts are pieces of grammar that several commands share, by number.
const commandParts = \`${defs.join('\n')}\`

// commandTable is one command a line: name, result columns, grammar.
const commandTable = \`${lines.join('\n')}\`
`);
