import { MessageBar, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import type { Need } from '../api/playbooks';

/** What a playbook lacks, each by name and with what to do. */
export function NeedsList({ needs }: { needs: Need[] | null | undefined }) {
  return (
    <>
      {(needs ?? []).map((n, i) => (
        <MessageBar key={i} intent={n.block ? 'error' : 'warning'} layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>
              {n.kind}: {n.name}
              {n.action ? ` (${n.action})` : ''}
            </MessageBarTitle>
            {n.text}
          </MessageBarBody>
        </MessageBar>
      ))}
    </>
  );
}
