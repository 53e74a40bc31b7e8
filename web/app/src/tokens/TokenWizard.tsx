import {
  Button,
  Checkbox,
  Field,
  Input,
  InteractionTag,
  InteractionTagPrimary,
  MessageBar,
  MessageBarBody,
  Radio,
  RadioGroup,
  SpinButton,
  Spinner,
  TagGroup,
  Textarea,
  Title3,
  makeStyles,
  mergeClasses,
  tokens,
} from '@fluentui/react-components';
import {
  ArrowDownloadRegular,
  CheckmarkCircleFilled,
  DocumentRegular,
  GlobeRegular,
  LinkRegular,
  QrCodeRegular,
  TableSimpleRegular,
  DocumentKeyRegular,
} from '@fluentui/react-icons';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '../api/client';
import { playbooksApi } from '../api/playbooks';
import { useSession } from '../api/session';
import { fileNameProblem, tokensApi, type Memo, type NewToken, type Token, type TokenKind } from '../api/tokens';
import { CopyField, Facts, PageLink } from '../ui/bits';
import { Page } from '../ui/Page';
import { ErrorBox, Loaded } from '../ui/States';
import { loopbackWarning } from './bits';

const useStyles = makeStyles({
  steps: { display: 'flex', gap: '4px', margin: '0 0 18px', padding: 0, listStyleType: 'none', flexWrap: 'wrap' },
  step: { padding: '6px 14px', fontSize: '13px', borderBottom: `2px solid ${tokens.colorNeutralStroke2}`, color: tokens.colorNeutralForeground3 },
  now: { borderBottomColor: tokens.colorBrandStroke1, color: tokens.colorNeutralForeground1, fontWeight: 600 },
  kinds: { display: 'grid', gridTemplateColumns: 'repeat(auto-fill, minmax(230px, 1fr))', gap: '12px', maxWidth: '1000px' },
  kind: {
    cursor: 'pointer',
    minHeight: '92px',
    display: 'grid',
    gap: '8px',
    alignContent: 'start',
    padding: '14px 16px',
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    borderRadius: '4px',
    ':hover': { backgroundColor: tokens.colorSubtleBackgroundHover },
    ':focus-within': { outline: `2px solid ${tokens.colorStrokeFocus2}` },
  },
  chosen: { border: `2px solid ${tokens.colorBrandStroke1}`, padding: '13px 15px', backgroundColor: tokens.colorBrandBackground2 },
  radio: { position: 'absolute', opacity: 0 },
  kindHead: { display: 'flex', gap: '8px', alignItems: 'center', fontWeight: 600 },
  small: { fontSize: '12px', color: tokens.colorNeutralForeground2 },
  form: { display: 'grid', gap: '16px', maxWidth: '720px' },
  two: { display: 'grid', gridTemplateColumns: '1fr 1fr', gap: '12px' },
  foot: { display: 'flex', gap: '8px', marginTop: '20px', paddingTop: '14px', borderTop: `1px solid ${tokens.colorNeutralStroke2}`, maxWidth: '720px' },
  done: { display: 'grid', gap: '18px', maxWidth: '720px' },
  ok: { display: 'flex', gap: '10px', alignItems: 'center', color: tokens.colorPaletteGreenForeground1 },
  row: { display: 'flex', gap: '8px', flexWrap: 'wrap' },
  file: { fontSize: '13px', display: 'grid', gap: '6px' },
  checks: { display: 'grid', gridTemplateColumns: 'repeat(auto-fill, minmax(160px, 1fr))' },
});

const icons: Record<string, ReactNode> = {
  ms_word: <DocumentRegular fontSize={24} />,
  ms_excel: <TableSimpleRegular fontSize={24} />,
  web: <LinkRegular fontSize={24} />,
  qr_code: <QrCodeRegular fontSize={24} />,
  dns: <GlobeRegular fontSize={24} />,
};

const steps = ['Kind', 'Bait', 'Place', 'Who is told', 'Review'] as const;
type Step = (typeof steps)[number];
const stepsOf = (k: TokenKind | undefined): Step[] => steps.filter((s) => s !== 'Bait' || !k || k.document);

export default function TokenWizard() {
  const kinds = useQuery({ queryKey: ['tokenKinds'], queryFn: tokensApi.kinds, staleTime: Infinity });
  return (
    <Page title="Create token" crumbs={[{ to: '/tokens', label: 'Tokens' }]}>
      <Loaded of={kinds}>{(k) => <Wizard kinds={k.value} decoyFields={k.decoyFields} />}</Loaded>
    </Page>
  );
}

const fieldTitle = (name: string) => (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll('_', ' ');

function Wizard({ kinds, decoyFields }: { kinds: TokenKind[]; decoyFields: string[] }) {
  const styles = useStyles();
  const { user, tripUrl } = useSession();
  const [, go] = useLocation();
  const client = useQueryClient();
  const [kindName, setKindName] = useState('');
  const kind = kinds.find((k) => k.kind === kindName);
  const [at, setAt] = useState<Step>('Kind');
  const [fileName, setFileName] = useState('');
  const [source, setSource] = useState<'generated' | 'own'>('generated');
  const [document, setDocument] = useState<File | null>(null);
  const [title, setTitle] = useState('');
  const [text, setText] = useState('');
  const [rows, setRows] = useState(40);
  const [fields, setFields] = useState<string[]>([]);
  const [memo, setMemo] = useState<Memo>({});
  const [recipients, setRecipients] = useState('');
  const [webhooks, setWebhooks] = useState('');
  const [picked, setPicked] = useState<string[]>([]);
  const [tags, setTags] = useState('');
  const [owner, setOwner] = useState(user.name);
  const [expires, setExpires] = useState('');
  const books = useQuery({ queryKey: ['playbooks'], queryFn: playbooksApi.list });
  const callable = (books.data ?? []).filter((p) => p.trigger.callable);
  const words = (s: string) => s.split(/[\s,;]+/).filter(Boolean);

  const make = useMutation({
    mutationFn: () => {
      const n: NewToken = {
        kind: kindName,
        fileName: kind?.document ? fileName.trim() : '',
        memo,
        recipients: words(recipients),
        webhooks: words(webhooks),
        playbooks: picked,
        owner: owner.trim(),
        tags: tags.split(',').map((t) => t.trim()).filter(Boolean),
        ...(expires ? { expires: new Date(expires + 'T23:59:59Z').toISOString() } : {}),
        ...(kind?.document && source === 'generated' ? { decoy: { title: title.trim(), text: text.trim(), fields, rows } } : {}),
      };
      return tokensApi.create(n, kind?.document && source === 'own' ? document : null);
    },
    onSuccess: () => void client.invalidateQueries({ queryKey: ['tokens'] }),
    onError: (e) => {
      // Go to the step whose field the server refused.
      const t = e instanceof ApiError ? (e.target ?? '').toLowerCase() : '';
      if (/computername|publicip|privateip|sharepath|description|memo/.test(t)) setAt('Place');
      else if (/filename|document|decoy/.test(t)) setAt('Bait');
      else if (/webhook|recipients|contact|tags|owner|expires/.test(t)) setAt('Who is told');
      else if (/kind/.test(t)) setAt('Kind');
    },
  });
  const problem = (field: string): string | undefined => (make.error instanceof ApiError && make.error.target?.toLowerCase() === field.toLowerCase() ? make.error.message : undefined);
  if (make.data) return <Made token={make.data} again={() => { make.reset(); setAt('Kind'); }} />;

  const all = stepsOf(kind);
  const i = all.indexOf(at);
  const nameBad = kind?.document ? fileNameProblem(fileName, kind.extension) : '';
  const placed = Boolean(memo.computername?.trim() || memo.sharePath?.trim() || memo.description?.trim());
  const ready: Record<Step, boolean> = {
    Kind: Boolean(kind),
    Bait: !nameBad && (source === 'generated' || document != null),
    Place: placed,
    'Who is told': true,
    Review: true,
  };
  const set = (k: keyof Memo) => (_: unknown, d: { value: string }) => setMemo({ ...memo, [k]: d.value });
  const example = { computername: 'FS01', sharePath: 'T:\\departments\\sales', description: 'Placed beside the real customer lists' };

  return (
    <>
      <ol className={styles.steps} aria-label="Steps">
        {all.map((s, n) => (
          <li key={s} className={mergeClasses(styles.step, s === at && styles.now)} aria-current={s === at ? 'step' : undefined}>
            {n + 1}. {s}
          </li>
        ))}
      </ol>
      {make.isError && <ErrorBox error={make.error} title="The token was not made" />}

      {at === 'Kind' && (
        <div className={styles.kinds} role="radiogroup" aria-label="Kind of token">
          {kinds.map((k) => (
            <label key={k.kind} className={mergeClasses(styles.kind, k.kind === kindName && styles.chosen)}>
              <input
                type="radio"
                name="kind"
                className={styles.radio}
                checked={k.kind === kindName}
                onChange={() => {
                  setKindName(k.kind);
                  setFileName(k.fileNames?.[0] ?? '');
                  setDocument(null);
                }}
              />
              <span className={styles.kindHead}>
                {icons[k.kind] ?? <DocumentKeyRegular fontSize={24} />} {k.title}
              </span>
              <span className={styles.small}>{k.about}</span>
            </label>
          ))}
        </div>
      )}

      {at === 'Bait' && kind && (
        <div className={styles.form}>
          <Field label="File name" required hint="What would somebody who looks for secrets open first?" validationMessage={nameBad || problem('fileName')}>
            <Input value={fileName} onChange={(_, d) => setFileName(d.value)} />
          </Field>
          <TagGroup aria-label="Proposed names">
            <div className={styles.row}>
              {kind.fileNames?.map((n) => (
                <InteractionTag key={n} size="small" shape="circular">
                  <InteractionTagPrimary onClick={() => setFileName(n)}>{n}</InteractionTagPrimary>
                </InteractionTag>
              ))}
            </div>
          </TagGroup>
          <Field label="Content">
            <RadioGroup value={source} onChange={(_, d) => setSource(d.value as 'own')}>
              <Radio value="generated" label="A generated document with decoy data" />
              <Radio value="own" label={`An own document (${kind.extension}): it is armed and otherwise stays as it is`} />
            </RadioGroup>
          </Field>
          {source === 'generated' ? (
            <>
              <Field label="Heading" hint="Empty takes the file name.">
                <Input value={title} onChange={(_, d) => setTitle(d.value)} />
              </Field>
              <Field label="Text above the table">
                <Textarea value={text} resize="vertical" onChange={(_, d) => setText(d.value)} />
              </Field>
              <Field label="Columns of decoy data" hint="None chosen is a customer account list. Up to 12." validationMessage={problem('decoy.Fields')}>
                <div className={styles.checks}>
                  {decoyFields.map((f) => (
                    <Checkbox key={f} label={fieldTitle(f)} checked={fields.includes(f)} disabled={!fields.includes(f) && fields.length >= 12} onChange={(_, d) => setFields(d.checked ? [...fields, f] : fields.filter((x) => x !== f))} />
                  ))}
                </div>
              </Field>
              <Field label="Rows">
                <SpinButton value={rows} min={1} max={500} onChange={(_, d) => setRows(Math.min(500, Math.max(1, d.value ?? (Number(d.displayValue) || 40))))} />
              </Field>
            </>
          ) : (
            <Field label="Document" required hint="At most 20 MB." validationMessage={problem('ownDocument')}>
              <div className={styles.file}>
                <input
                  type="file"
                  aria-label="Document"
                  accept={kind.extension}
                  onChange={(e) => {
                    const f = e.target.files?.[0] ?? null;
                    setDocument(f);
                    if (f) setFileName(f.name);
                  }}
                />
                {document && `${document.name}, ${(document.size / 1000).toFixed(0)} kB`}
              </div>
            </Field>
          )}
        </div>
      )}

      {at === 'Place' && (
        <div className={styles.form}>
          <span className={styles.small}>Where will the token lie? These five fields go into every alert, so that whoever reads it knows which host was touched. At least the host, the share or a description is needed.</span>
          <div className={styles.two}>
            <Field label="Host" validationMessage={problem('computername')}>
              <Input value={memo.computername ?? ''} placeholder={example.computername} onChange={set('computername')} />
            </Field>
            <Field label="Share or folder" validationMessage={problem('sharePath')}>
              <Input value={memo.sharePath ?? ''} placeholder={example.sharePath} onChange={set('sharePath')} />
            </Field>
            <Field label="The host’s public address" hint="A trip from there was on the host itself." validationMessage={problem('publicIP')}>
              <Input value={memo.publicIp ?? ''} placeholder="203.0.113.7" onChange={set('publicIp')} />
            </Field>
            <Field label="The host’s private address" validationMessage={problem('privateIP')}>
              <Input value={memo.privateIp ?? ''} placeholder="10.0.0.12" onChange={set('privateIp')} />
            </Field>
          </div>
          <Field label="Description" validationMessage={problem('description') ?? problem('memo')}>
            <Input value={memo.description ?? ''} placeholder={example.description} onChange={set('description')} />
          </Field>
        </div>
      )}

      {at === 'Who is told' && (
        <div className={styles.form}>
          <Field label="Playbooks" hint="Every trip calls them; their callback address stays inside picket.">
            {callable.length ? (
              <div>
                {callable.map((p) => (
                  <Checkbox key={p.name} label={p.name} checked={picked.includes(p.name)} onChange={(_, d) => setPicked(d.checked ? [...picked, p.name] : picked.filter((x) => x !== p.name))} />
                ))}
              </div>
            ) : (
              <span className={styles.small}>
                No playbook with a callback address is deployed. <PageLink inText to="/playbooks/deploy">Deploy one</PageLink>, such as Ingest-CanaryTokens, to turn trips into rows and incidents.
              </span>
            )}
          </Field>
          <Field label="Webhooks" hint="One address a line. Slack, Teams, Discord and Google Chat get their own form." validationMessage={problem('webhook')}>
            <Textarea value={webhooks} resize="vertical" onChange={(_, d) => setWebhooks(d.value)} placeholder="https://" />
          </Field>
          {words(webhooks).map((u) => (
            <TestHook key={u} url={u} />
          ))}
          <Field label="E-mail addresses" validationMessage={problem('recipients') ?? problem('contact')}>
            <Input value={recipients} onChange={(_, d) => setRecipients(d.value)} placeholder="soc@example.org" />
          </Field>
          <div className={styles.two}>
            <Field label="Owner" validationMessage={problem('owner')}>
              <Input value={owner} onChange={(_, d) => setOwner(d.value)} />
            </Field>
            <Field label="Expires" hint="Empty is never." validationMessage={problem('expires')}>
              <Input type="date" value={expires} onChange={(_, d) => setExpires(d.value)} />
            </Field>
          </div>
          <Field label="Tags" hint="Parted by commas." validationMessage={problem('tags')}>
            <Input value={tags} onChange={(_, d) => setTags(d.value)} />
          </Field>
        </div>
      )}

      {at === 'Review' && kind && (
        <div className={styles.form}>
          {loopbackWarning(tripUrl) && kind.kind !== 'dns' && (
            <MessageBar intent="warning">
              <MessageBarBody>{loopbackWarning(tripUrl)}</MessageBarBody>
            </MessageBar>
          )}
          <Facts
            of={[
              ['Kind', kind.title],
              ['File name', kind.document ? fileName : ''],
              ['Content', kind.document ? (source === 'own' ? `own document ${document?.name ?? ''}` : `${rows} rows: ${fields.length ? fields.map(fieldTitle).join(', ') : 'customer accounts'}`) : ''],
              ['Host', memo.computername],
              ['Share', memo.sharePath],
              ['Public address', memo.publicIp],
              ['Private address', memo.privateIp],
              ['Description', memo.description],
              ['Told', [...picked.map((p) => 'playbook ' + p), ...words(webhooks), ...words(recipients)].join(', ') || 'nobody: rows and rules still see every trip'],
              ['Owner', owner],
              ['Expires', expires || 'never'],
              ['Tags', tags],
            ]}
          />
        </div>
      )}

      <div className={styles.foot}>
        {at === 'Review' ? (
          <Button appearance="primary" disabled={make.isPending} icon={make.isPending ? <Spinner size="tiny" /> : undefined} onClick={() => make.mutate()}>
            Create token
          </Button>
        ) : (
          <Button appearance="primary" disabled={!ready[at]} onClick={() => setAt(all[i + 1]!)}>
            Next
          </Button>
        )}
        <Button disabled={i <= 0} onClick={() => setAt(all[i - 1]!)}>
          Back
        </Button>
        <Button appearance="subtle" onClick={() => go('/tokens')}>
          Cancel
        </Button>
      </div>
    </>
  );
}

export function TestHook({ url, playbook }: { url: string; playbook?: string }) {
  const test = useMutation({ mutationFn: () => tokensApi.test(url, playbook) });
  return (
    <div style={{ display: 'grid', gap: 6 }}>
      <div>
        <Button size="small" disabled={test.isPending} onClick={() => test.mutate()}>
          {test.isPending ? 'Sending…' : `Send a test to ${playbook ?? shortUrl(url)}`}
        </Button>
      </div>
      {test.data && (
        <MessageBar intent={test.data.ok ? 'success' : 'error'}>
          <MessageBarBody>{test.data.note}</MessageBarBody>
        </MessageBar>
      )}
      {test.isError && <ErrorBox error={test.error} />}
    </div>
  );
}

export function shortUrl(u: string): string {
  try {
    const x = new URL(u);
    return x.host + (x.pathname.length > 1 ? '/…' : '');
  } catch {
    return u.slice(0, 40);
  }
}

function Made({ token: t, again }: { token: Token; again: () => void }) {
  const styles = useStyles();
  const [, go] = useLocation();
  const [error, setError] = useState<unknown>(null);
  return (
    <div className={styles.done}>
      <div className={styles.ok}>
        <CheckmarkCircleFilled fontSize={28} />
        <Title3 as="h2">The token is armed</Title3>
      </div>
      {t.warnings?.map((w) => (
        <MessageBar key={w} intent="warning">
          <MessageBarBody>{w.charAt(0).toUpperCase() + w.slice(1)}.</MessageBarBody>
        </MessageBar>
      ))}
      <div className={styles.row}>
        <Button appearance="primary" icon={<ArrowDownloadRegular />} onClick={() => tokensApi.download(t.token).catch(setError)}>
          Download {t.fileName || ''}
        </Button>
        <Button onClick={() => go('/tokens/' + t.token)}>Open the token</Button>
        <Button onClick={again}>Make another</Button>
      </div>
      {error ? <ErrorBox error={error} /> : null}
      <Facts
        of={[
          ['Trips at', t.url ? <CopyField key="u" text={t.url} label="Copy the address" /> : t.hostname ? <CopyField key="h" text={t.hostname} label="Copy the name" /> : ''],
          ['Place it', [t.place.computername, t.place.sharePath].filter(Boolean).join(' · ')],
          ['Secret', t.auth ? <CopyField key="s" text={t.auth} label="Copy the secret" /> : ''],
        ]}
      />
      <span className={styles.small}>The secret manages this token by the Canarytokens API. It is shown this once; on this page you need none.</span>
    </div>
  );
}
