import { Button, Checkbox, Dropdown, Field, Input, MessageBar, MessageBarBody, Option, Spinner, Switch, Textarea, makeStyles } from '@fluentui/react-components';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { playbooksApi, type Inspection, type Param } from '../api/playbooks';
import { Section } from '../ui/bits';
import { Page } from '../ui/Page';
import { ErrorBox } from '../ui/States';
import { NeedsList } from './NeedsList';
import { playbookPath } from './PlaybooksPage';

const useStyles = makeStyles({
  form: { display: 'grid', gap: '16px', maxWidth: '760px' },
  mono: { fontFamily: 'Consolas, monospace', fontSize: '12px' },
  buttons: { display: 'flex', gap: '8px' },
});

/** The text form of a parameter's value in its field. */
function toField(p: Param): string {
  const v = p.default;
  if (v == null) return '';
  return typeof v === 'string' ? v : JSON.stringify(v);
}

/** A field's text as the parameter's type wants it; throws with a sentence for the field. */
export function fromField(p: Pick<Param, 'type'>, text: string): unknown {
  switch (p.type.toLowerCase()) {
    case 'int': {
      if (!/^-?\d+$/.test(text.trim())) throw new Error('This must be a whole number.');
      return Number(text);
    }
    case 'bool':
      return text === 'true';
    case 'object':
    case 'secureobject':
    case 'array': {
      let v: unknown;
      try {
        v = JSON.parse(text);
      } catch (e) {
        throw new Error('This must be JSON: ' + (e as Error).message);
      }
      if (p.type.toLowerCase() === 'array' ? !Array.isArray(v) : v == null || typeof v !== 'object' || Array.isArray(v)) throw new Error(`This must be a JSON ${p.type.toLowerCase() === 'array' ? 'array' : 'object'}.`);
      return v;
    }
    default:
      return text;
  }
}

export default function DeployPage() {
  const styles = useStyles();
  const [, go] = useLocation();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [badJson, setBadJson] = useState('');
  const [template, setTemplate] = useState<unknown>(null);
  const [values, setValues] = useState<Record<string, string>>({});
  const [name, setName] = useState('');
  const [allowNeeds, setAllowNeeds] = useState(false);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const inspect = useMutation({
    mutationFn: (t: unknown) => playbooksApi.inspect(t),
    onSuccess: (i) => setValues(Object.fromEntries((i.parameters ?? []).map((p) => [p.name, toField(p)]))),
  });
  const deploy = useMutation({
    mutationFn: (parameters: Record<string, unknown>) => playbooksApi.deploy({ template, parameters, allowNeeds, name: i?.needsName ? name.trim() : '' }),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ['playbooks'] });
      go(made[0] ? playbookPath(made[0].name) : '/playbooks');
    },
  });
  const i = inspect.data;
  const read = (t: string) => {
    setText(t);
    setBadJson('');
    inspect.reset();
    deploy.reset();
    setTemplate(null);
    if (!t.trim()) return;
    try {
      const parsed: unknown = JSON.parse(t.replace(/^\uFEFF/, ''));
      setTemplate(parsed);
      inspect.mutate(parsed);
    } catch (e) {
      setBadJson('This is not JSON: ' + (e as Error).message);
    }
  };
  const submit = (i: Inspection) => {
    const bad: Record<string, string> = {};
    const params: Record<string, unknown> = {};
    for (const p of i.parameters ?? []) {
      const v = values[p.name] ?? '';
      // What equals the default is left to the template: defaults may be expressions.
      if (v === toField(p) && p.default != null) continue;
      if (v === '' && !p.required) continue;
      if (v === '' && p.required) {
        bad[p.name] = 'The template needs a value here.';
        continue;
      }
      try {
        params[p.name] = fromField(p, v);
      } catch (e) {
        bad[p.name] = (e as Error).message;
      }
    }
    setWrong(bad);
    if (!Object.keys(bad).length) deploy.mutate(params);
  };
  return (
    <Page title="Deploy a template" crumbs={[{ to: '/playbooks', label: 'Playbooks' }]}>
      <div className={styles.form}>
        <Field label="Template file" hint="azuredeploy.json, or a bare workflow definition.">
          <input type="file" accept=".json,application/json" aria-label="Template file" onChange={(e) => void e.target.files?.[0]?.text().then(read)} />
        </Field>
        <Field label="or its text" validationMessage={badJson || undefined}>
          <Textarea className={styles.mono} value={text} rows={8} resize="vertical" onChange={(_, d) => read(d.value)} />
        </Field>
        {inspect.isPending && <Spinner size="tiny" label="Reading the template" />}
        {inspect.isError && <ErrorBox error={inspect.error} title="The template can’t be deployed" />}
        {i && (
          <>
            {i.resources?.length ? (
              <Section title="It makes">
                <span style={{ fontSize: 13 }}>{i.resources.join(', ')}</span>
              </Section>
            ) : null}
            {i.needs?.length ? (
              <Section title="It needs">
                <NeedsList needs={i.needs} />
                <Checkbox label="Let runs start all the same: the actions that need something fail by name" checked={allowNeeds} onChange={(_, d) => setAllowNeeds(d.checked === true)} />
              </Section>
            ) : (
              <MessageBar intent="success">
                <MessageBarBody>picket serves everything that this template uses.</MessageBarBody>
              </MessageBar>
            )}
            {i.needsName && (
              <Field label="Name" required hint="A bare definition has none of its own.">
                <Input value={name} onChange={(_, d) => setName(d.value)} />
              </Field>
            )}
            {i.parameters?.length ? (
              <Section title="Parameters">
                {i.parameters.map((p) => (
                  <Field key={p.name} label={p.name} required={p.required} hint={p.help} validationMessage={wrong[p.name]}>
                    <ParamInput p={p} value={values[p.name] ?? ''} set={(v) => setValues({ ...values, [p.name]: v })} />
                  </Field>
                ))}
              </Section>
            ) : null}
            {deploy.isError && <ErrorBox error={deploy.error} title="The deployment failed" />}
            <div className={styles.buttons}>
              <Button appearance="primary" disabled={deploy.isPending || (i.needsName === true && !name.trim())} onClick={() => submit(i)}>
                {deploy.isPending ? 'Deploying…' : 'Deploy'}
              </Button>
              <Button onClick={() => go('/playbooks')}>Cancel</Button>
            </div>
          </>
        )}
      </div>
    </Page>
  );
}

function ParamInput({ p, value, set }: { p: Param; value: string; set: (v: string) => void }) {
  const type = p.type.toLowerCase();
  if (p.allowed?.length)
    return (
      <Dropdown value={value} selectedOptions={[value]} onOptionSelect={(_, d) => set(d.optionValue ?? '')}>
        {p.allowed.map((a) => (
          <Option key={a}>{a}</Option>
        ))}
      </Dropdown>
    );
  if (type === 'bool') return <Switch checked={value === 'true'} onChange={(_, d) => set(String(d.checked))} />;
  if (type === 'object' || type === 'array' || type === 'secureobject') return <Textarea value={value} resize="vertical" onChange={(_, d) => set(d.value)} />;
  return <Input type={type === 'securestring' ? 'password' : 'text'} autoComplete="off" value={value} onChange={(_, d) => set(d.value)} />;
}
