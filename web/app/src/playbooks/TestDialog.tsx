import { Accordion, AccordionHeader, AccordionItem, AccordionPanel, Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Textarea } from '@fluentui/react-components';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { playbooksApi } from '../api/playbooks';
import { Json, Rows, Section, StatusBadge } from '../ui/bits';
import { plural } from '../ui/format';
import { ErrorBox } from '../ui/States';
import { NeedsList } from './NeedsList';
import { StatusMark } from './flow/StatusMark';
import { shown } from './flow/model';

/** Tries the playbook out: nothing leaves, and what would have left is shown. */
export function TestDialog({ name, close }: { name: string; close: () => void }) {
  const [text, setText] = useState('{}');
  const [bad, setBad] = useState('');
  const test = useMutation({ mutationFn: (body: unknown) => playbooksApi.test(name, body) });
  const t = test.data;
  const start = () => {
    try {
      const body: unknown = text.trim() ? JSON.parse(text) : null;
      setBad('');
      test.mutate(body);
    } catch (e) {
      setBad('This is not JSON: ' + (e as Error).message);
    }
  };
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface style={{ maxWidth: 'min(860px, 94vw)' }}>
        <DialogBody>
          <DialogTitle>Test {name}</DialogTitle>
          <DialogContent style={{ display: 'grid', gap: 12 }}>
            <span>A run of its own: nothing is sent, and every call is answered with a made-up success. It shows what would be sent, and to whom.</span>
            <Field label="Body that the trigger is given (JSON)" validationMessage={bad || undefined}>
              <Textarea value={text} rows={5} resize="vertical" onChange={(_, d) => setText(d.value)} />
            </Field>
            {test.isError && <ErrorBox error={test.error} title="The test could not run" />}
            {t && (
              <>
                <div role="status">{t.status ? <StatusBadge status={t.status} /> : 'The trigger’s conditions were not met: no run would begin.'}</div>
                {t.error && <ErrorBox error={new Error(t.error)} title="The run failed" />}
                <NeedsList needs={t.needs} />
                <Section title={plural(t.calls.length, 'call would be made', 'calls would be made')}>
                  <Accordion multiple collapsible>
                    {t.calls.map((c, i) => (
                      <AccordionItem key={i} value={i}>
                        <AccordionHeader>
                          <span style={{ overflowWrap: 'anywhere' }}>
                            {shown(c.action)}: {[c.api, c.method, c.target].filter(Boolean).join(' ')}
                          </span>
                        </AccordionHeader>
                        <AccordionPanel>
                          <Json of={c.inputs} />
                        </AccordionPanel>
                      </AccordionItem>
                    ))}
                  </Accordion>
                </Section>
                {t.actions.length > 0 && (
                  <Section title="Steps">
                    <Rows
                      label="Steps"
                      rows={t.actions}
                      rowKey={(a) => a.name + (a.repetition ?? '')}
                      columns={[
                        { key: 'n', title: 'Action', cell: (a) => shown(a.name) + (a.repetition ? ' ' + a.repetition : '') },
                        { key: 's', title: 'Status', cell: (a) => <StatusMark status={a.status} /> },
                        { key: 'e', title: 'Error', cell: (a) => a.error },
                      ]}
                    />
                  </Section>
                )}
              </>
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>Close</Button>
            <Button appearance="primary" disabled={test.isPending} onClick={start}>
              {test.isPending ? 'Testing…' : 'Test'}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
