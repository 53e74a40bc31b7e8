import {
  Avatar,
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Tooltip,
  makeStyles,
  mergeClasses,
  tokens,
} from '@fluentui/react-components';
import { PersonKeyRegular, SignOutRegular, WeatherMoonRegular, WeatherSunnyRegular, DesktopRegular } from '@fluentui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { setCsrf } from '../api/client';
import { signOut, useSession } from '../api/session';
import { useLook, type Look } from './theme';

const useStyles = makeStyles({
  bar: {
    height: '44px',
    display: 'flex',
    alignItems: 'center',
    gap: '12px',
    paddingLeft: '14px',
    paddingRight: '10px',
    color: '#fff',
    backgroundColor: '#0b5394',
  },
  dark: { backgroundColor: '#10212f', borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  name: { fontSize: '16px', fontWeight: 600, color: '#fff', textDecorationLine: 'none', display: 'flex', alignItems: 'center', gap: '10px' },
  sep: { opacity: 0.6 },
  ws: { fontSize: '13px', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  demo: { fontSize: '12px', backgroundColor: '#fde300', color: '#242424', padding: '1px 8px', borderRadius: '2px', whiteSpace: 'nowrap' },
  space: { flexGrow: 1 },
  who: { '@media (max-width: 640px)': { display: 'none' } },
  button: {
    color: '#fff',
    minWidth: '36px',
    ':hover': { color: '#fff', backgroundColor: 'rgba(255,255,255,0.15)' },
    ':hover:active': { color: '#fff', backgroundColor: 'rgba(255,255,255,0.25)' },
    ':focus-visible': { outline: '2px solid #fff' },
  },
  skip: {
    position: 'absolute',
    left: '-999px',
    ':focus': { left: '8px', top: '8px', zIndex: 10, backgroundColor: '#fff', color: '#0b5394', padding: '4px 10px' },
  },
});

const icons = { system: <DesktopRegular />, light: <WeatherSunnyRegular />, dark: <WeatherMoonRegular /> };

export function TopBar() {
  const styles = useStyles();
  const s = useSession();
  const { look, dark, setLook } = useLook();
  const [, go] = useLocation();
  const client = useQueryClient();
  const leave = async () => {
    await signOut();
    setCsrf('');
    client.clear();
    location.assign('/');
  };
  return (
    <header className={mergeClasses(styles.bar, dark && styles.dark)}>
      <a className={styles.skip} href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>
        Skip to the page
      </a>
      <a href="/incidents" className={styles.name} onClick={(e) => { e.preventDefault(); go('/incidents'); }}>
        <img src="/favicon.svg" alt="" width={22} height={22} />
        picket
      </a>
      <span className={styles.sep} aria-hidden>|</span>
      <span className={styles.ws} title={`Workspace ${s.workspace.id}`}>{s.workspace.name}</span>
      {s.demo && <span className={styles.demo}>Demonstration: loopback only</span>}
      <span className={styles.space} />
      <Menu checkedValues={{ look: [look] }} onCheckedValueChange={(_, d) => setLook(d.checkedItems[0] as Look)}>
        <MenuTrigger disableButtonEnhancement>
          <Tooltip content="Appearance" relationship="label">
            <Button appearance="transparent" className={styles.button} icon={dark ? icons.dark : icons.light} />
          </Tooltip>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            <MenuItemRadio name="look" value="system" icon={icons.system}>Like the system</MenuItemRadio>
            <MenuItemRadio name="look" value="light" icon={icons.light}>Light</MenuItemRadio>
            <MenuItemRadio name="look" value="dark" icon={icons.dark}>Dark</MenuItemRadio>
          </MenuList>
        </MenuPopover>
      </Menu>
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <Button appearance="transparent" className={styles.button} aria-label={`Account ${s.user.displayName}`} icon={<Avatar size={28} name={s.user.displayName} color="colorful" />}>
            <span className={styles.who}>{s.user.displayName}</span>
          </Button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            <MenuItem icon={<PersonKeyRegular />} onClick={() => go('/workspace/account')}>Account and password</MenuItem>
            <MenuDivider />
            <MenuItem icon={<SignOutRegular />} onClick={() => void leave()}>Sign out</MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
    </header>
  );
}
