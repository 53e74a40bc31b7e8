import { Tab, TabList, makeStyles } from '@fluentui/react-components';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { allows, useSession } from '../api/session';
import { logsLink } from '../logs/timerange';
import { PageLink } from '../ui/bits';
import { Page } from '../ui/Page';
import { People } from './People';
import { Programs } from './Programs';
import { Tokens } from './Tokens';

const useStyles = makeStyles({
  body: { marginTop: '14px', display: 'grid', gap: '24px', gridTemplateColumns: 'minmax(0, 1fr)' },
  links: { display: 'flex', flexWrap: 'wrap', gap: '4px 20px', fontSize: '13px' },
});

const audits: [string, string][] = [
  ['Changes of access', 'AuditLogs\n| sort by TimeGenerated desc'],
  ['Sign-ins of people', 'SigninLogs\n| sort by TimeGenerated desc'],
  ['Sign-ins of programs', 'union isfuzzy=true AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs\n| sort by TimeGenerated desc'],
  ['Changes of resources', 'AzureActivity\n| sort by TimeGenerated desc'],
];

export default function AccessPage({ tab }: { tab?: string }) {
  const styles = useStyles();
  const { user } = useSession();
  const [, go] = useLocation();
  const owner = allows(user, 'Owner');
  const [at] = useState(tab ?? (owner ? 'people' : 'tokens'));
  const now = owner ? at : 'tokens';
  return (
    <Page title="Access" subtitle="Who may reach this workspace, and what they may do">
      <TabList selectedValue={now} onTabSelect={(_, d) => go('/access' + (d.value === 'people' ? '' : '/' + String(d.value)))}>
        {owner && <Tab value="people">People</Tab>}
        {owner && <Tab value="programs">Programs</Tab>}
        <Tab value="tokens">Personal tokens</Tab>
      </TabList>
      <div className={styles.body}>
        {now === 'people' && <People />}
        {now === 'programs' && <Programs />}
        {now === 'tokens' && <Tokens />}
        <nav className={styles.links} aria-label="Audit log">
          {audits.map(([label, q]) => (
            <PageLink key={label} to={logsLink(q, '7d')}>
              {label} in Logs
            </PageLink>
          ))}
        </nav>
      </div>
    </Page>
  );
}
