import { Tooltip, makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import {
  BookmarkMultipleRegular,
  DataUsageRegular,
  DocumentKeyRegular,
  FlashFlowRegular,
  FlowchartRegular,
  NavigationRegular,
  PeopleLockRegular,
  PlugConnectedRegular,
  SearchSquareRegular,
  SettingsRegular,
  ShieldErrorRegular,
  TableRegular,
  type FluentIcon,
} from '@fluentui/react-icons';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';

interface Item {
  to: string;
  label: string;
  icon: FluentIcon;
}

const groups: { title: string; items: Item[] }[] = [
  { title: 'General', items: [{ to: '/logs', label: 'Logs', icon: SearchSquareRegular }, { to: '/tables', label: 'Tables', icon: TableRegular }] },
  { title: 'Threat management', items: [{ to: '/incidents', label: 'Incidents', icon: ShieldErrorRegular }, { to: '/tokens', label: 'Tokens', icon: DocumentKeyRegular }] },
  {
    title: 'Configuration',
    items: [
      { to: '/sources', label: 'Data sources', icon: PlugConnectedRegular },
      { to: '/rules', label: 'Analytics', icon: DataUsageRegular },
      { to: '/playbooks', label: 'Playbooks', icon: FlowchartRegular },
      { to: '/automation', label: 'Automation', icon: FlashFlowRegular },
      { to: '/watchlists', label: 'Watchlists', icon: BookmarkMultipleRegular },
      { to: '/access', label: 'Access', icon: PeopleLockRegular },
      { to: '/workspace', label: 'Settings', icon: SettingsRegular },
    ],
  },
];

const useStyles = makeStyles({
  nav: {
    width: '208px',
    backgroundColor: tokens.colorNeutralBackground2,
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
    overflowY: 'auto',
    paddingTop: '4px',
    fontSize: '13px',
  },
  narrow: { width: '48px' },
  head: { color: tokens.colorNeutralForeground2, fontWeight: 600, padding: '12px 16px 4px', fontSize: '12px', margin: 0 },
  item: {
    display: 'flex',
    alignItems: 'center',
    gap: '12px',
    height: '34px',
    padding: '0 14px',
    color: tokens.colorNeutralForeground1,
    textDecorationLine: 'none',
    borderLeft: '3px solid transparent',
    ':hover': { backgroundColor: tokens.colorSubtleBackgroundHover },
  },
  on: { backgroundColor: tokens.colorNeutralBackground1Selected, borderLeftColor: tokens.colorBrandStroke1, fontWeight: 600 },
  icon: { fontSize: '20px', color: tokens.colorBrandForeground1, flexShrink: 0 },
  toggle: { background: 'none', border: 'none', cursor: 'pointer', width: '100%', font: 'inherit' },
  list: { listStyleType: 'none', margin: 0, padding: 0 },
});

const stored = 'picket.nav';

export function Nav() {
  const styles = useStyles();
  const [path] = useLocation();
  const [narrow, setNarrow] = useState(() => localStorage.getItem(stored) === 'narrow' || window.innerWidth < 900);
  const toggle = () => {
    localStorage.setItem(stored, narrow ? 'wide' : 'narrow');
    setNarrow(!narrow);
  };
  return (
    <nav className={mergeClasses(styles.nav, narrow && styles.narrow)} aria-label="Pages">
      <button className={mergeClasses(styles.item, styles.toggle)} onClick={toggle} aria-expanded={!narrow} aria-label={narrow ? 'Widen the menu' : 'Narrow the menu'}>
        <NavigationRegular className={styles.icon} />
      </button>
      {groups.map((g) => (
        <div key={g.title}>
          {!narrow && <h2 className={styles.head}>{g.title}</h2>}
          <ul className={styles.list}>
            {g.items.map((i) => {
              const on = path === i.to || path.startsWith(i.to + '/');
              const link = (
                <Link href={i.to} className={mergeClasses(styles.item, on && styles.on)} aria-current={on ? 'page' : undefined} aria-label={i.label}>
                  <i.icon className={styles.icon} />
                  {!narrow && i.label}
                </Link>
              );
              return (
                <li key={i.to}>
                  {narrow ? (
                    <Tooltip content={i.label} relationship="label" positioning="after">
                      {link}
                    </Tooltip>
                  ) : (
                    link
                  )}
                </li>
              );
            })}
          </ul>
        </div>
      ))}
    </nav>
  );
}
