import { FluentProvider, webDarkTheme, webLightTheme, type Theme } from '@fluentui/react-components';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

export type Look = 'system' | 'light' | 'dark';

interface Looks {
  look: Look;
  dark: boolean;
  setLook: (l: Look) => void;
}
const LookContext = createContext<Looks>({ look: 'system', dark: false, setLook: () => {} });
export const useLook = () => useContext(LookContext);

const stored = 'picket.look';

// Denser than Fluent's own: a table of incidents should show many.
const light: Theme = { ...webLightTheme, borderRadiusMedium: '2px', borderRadiusLarge: '4px' };
const dark: Theme = { ...webDarkTheme, borderRadiusMedium: '2px', borderRadiusLarge: '4px' };

export function ThemeRoot({ children }: { children: ReactNode }) {
  const [look, setLook] = useState<Look>(() => (localStorage.getItem(stored) as Look | null) ?? 'system');
  const media = useMemo(() => window.matchMedia('(prefers-color-scheme: dark)'), []);
  const [system, setSystem] = useState(media.matches);
  useEffect(() => {
    const f = () => setSystem(media.matches);
    media.addEventListener('change', f);
    return () => media.removeEventListener('change', f);
  }, [media]);
  const isDark = look === 'dark' || (look === 'system' && system);
  const value = useMemo<Looks>(
    () => ({
      look,
      dark: isDark,
      setLook: (l) => {
        localStorage.setItem(stored, l);
        setLook(l);
      },
    }),
    [look, isDark],
  );
  useEffect(() => {
    document.documentElement.style.colorScheme = isDark ? 'dark' : 'light';
  }, [isDark]);
  return (
    <LookContext.Provider value={value}>
      <FluentProvider theme={isDark ? dark : light} className="root">
        {children}
      </FluentProvider>
    </LookContext.Provider>
  );
}
