import { Caption1, Divider, Title3, Toolbar, makeStyles, tokens } from '@fluentui/react-components';
import { ChevronRightRegular } from '@fluentui/react-icons';
import { useEffect, type ReactNode } from 'react';
import { Link } from 'wouter';

const useStyles = makeStyles({
  page: { display: 'grid', gridTemplateRows: 'auto minmax(0, 1fr)', height: '100%', minHeight: 0 },
  head: { padding: '8px 24px 0' },
  crumbs: { display: 'flex', alignItems: 'center', gap: '4px', color: tokens.colorNeutralForeground3, minHeight: '18px' },
  crumb: { color: tokens.colorBrandForegroundLink, textDecorationLine: 'none', fontSize: '12px', ':hover': { textDecorationLine: 'underline' } },
  row: { display: 'flex', alignItems: 'center', gap: '0 12px', minHeight: '36px', '@media (max-width: 640px)': { flexWrap: 'wrap' } },
  title: { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', margin: 0 },
  bar: { paddingLeft: '0', minHeight: '36px', columnGap: '2px', flexWrap: 'wrap' },
  body: { overflow: 'auto', padding: '12px 24px 24px', minHeight: 0 },
  flush: { padding: 0 },
});

/** The frame of every page: where it is, its title, its commands, its content. */
export function Page({
  title,
  subtitle,
  icon,
  crumbs,
  commands,
  flush,
  children,
}: {
  title: string;
  subtitle?: ReactNode;
  icon?: ReactNode;
  crumbs?: { to: string; label: string }[];
  commands?: ReactNode;
  /** Content up to the edges (the editor). */
  flush?: boolean;
  children: ReactNode;
}) {
  const styles = useStyles();
  useEffect(() => {
    document.title = title + ' | picket';
  }, [title]);
  return (
    <div className={styles.page}>
      <div>
        <div className={styles.head}>
          {crumbs && (
            <nav className={styles.crumbs} aria-label="Where this is">
              {crumbs.map((c) => (
                <span key={c.to} style={{ display: 'inline-flex', alignItems: 'center', gap: 4 }}>
                  <Link href={c.to} className={styles.crumb}>
                    {c.label}
                  </Link>
                  <ChevronRightRegular fontSize={12} aria-hidden />
                </span>
              ))}
            </nav>
          )}
          <div className={styles.row}>
            {icon}
            <Title3 as="h1" className={styles.title} title={title}>
              {title}
            </Title3>
            {subtitle && <Caption1 style={{ color: tokens.colorNeutralForeground3 }}>{subtitle}</Caption1>}
          </div>
          {commands && (
            <Toolbar aria-label="Commands" className={styles.bar} size="small">
              {commands}
            </Toolbar>
          )}
        </div>
        <Divider />
      </div>
      <div className={flush ? styles.flush : styles.body} style={flush ? { minHeight: 0, minWidth: 0 } : undefined}>
        {children}
      </div>
    </div>
  );
}
