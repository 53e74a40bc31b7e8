import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, DialogTrigger, Dropdown, Field, MessageBar, MessageBarActions, MessageBarBody, Option } from '@fluentui/react-components';
import { DismissRegular } from '@fluentui/react-icons';
import type { ReactNode } from 'react';
import type { Made, Role } from '../api/access';
import { roleWords } from '../api/session';
import { CopyField } from '../ui/bits';

export const roleNames = Object.keys(roleWords) as Role[];

export function RolePick({ label, hint, value, set, disabled, most = 'Owner', small }: { label: string; hint?: boolean; value: Role; set: (r: Role) => void; disabled?: boolean; /** The most that may be given. */ most?: Role; small?: boolean }) {
  const names = roleNames.slice(0, roleNames.indexOf(most) + 1);
  const drop = (
    <Dropdown size={small ? 'small' : 'medium'} style={small ? { minWidth: 120 } : undefined} aria-label={small ? label : undefined} disabled={disabled} value={value} selectedOptions={[value]} onOptionSelect={(_, d) => d.optionValue && d.optionValue !== value && set(d.optionValue as Role)}>
      {names.map((r) => (
        <Option key={r}>{r}</Option>
      ))}
    </Dropdown>
  );
  return small ? (
    drop
  ) : (
    <Field label={label} hint={hint ? roleWords[value] : undefined}>
      {drop}
    </Field>
  );
}

const secretNames: [keyof Made, string][] = [
  ['clientId', 'Client ID'],
  ['clientSecret', 'Client secret'],
  ['identityHeader', 'Identity header'],
  ['token', 'Token'],
];

/** Secrets that are told this once. */
export function Told({ made, close }: { made: Made & { password?: string }; close: () => void }) {
  return (
    <MessageBar intent="success" layout="multiline">
      <MessageBarBody>
        {made.password ? `Password of ${made.name ?? ''}, shown this once; it must be changed at the first sign-in.` : `${made.name ?? 'It'} has access. What is secret is shown this once.`}
        {made.password && <CopyField text={made.password} label="Copy the password" />}
        {secretNames.map(([k, label]) =>
          made[k] ? (
            <div key={k}>
              {label}
              <CopyField text={made[k]} label={`Copy: ${label}`} />
            </div>
          ) : null,
        )}
      </MessageBarBody>
      <MessageBarActions containerAction={<Button appearance="transparent" aria-label="Hide" icon={<DismissRegular />} onClick={close} />} />
    </MessageBar>
  );
}

/** Asks before something is gone. */
export function Sure({ title, text, verb, go, close }: { title: string; text: ReactNode; verb: string; go: () => void; close: () => void }) {
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent>{text}</DialogContent>
          <DialogActions>
            <DialogTrigger disableButtonEnhancement>
              <Button>Cancel</Button>
            </DialogTrigger>
            <Button
              appearance="primary"
              onClick={() => {
                close();
                go();
              }}
            >
              {verb}
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

/** A form in a dialog. */
export function FormDialog({ title, verb, ready, busy, submit, close, children }: { title: string; verb: string; ready: boolean; busy: boolean; submit: () => void; close: () => void; children: ReactNode }) {
  return (
    <Dialog open onOpenChange={(_, d) => !d.open && close()}>
      <DialogSurface>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (ready && !busy) submit();
          }}
        >
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent style={{ display: 'grid', gap: 12 }}>{children}</DialogContent>
            <DialogActions>
              <Button type="button" onClick={close}>
                Cancel
              </Button>
              <Button appearance="primary" type="submit" disabled={!ready || busy}>
                {verb}
              </Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
