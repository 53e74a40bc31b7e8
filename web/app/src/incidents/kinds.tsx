import {
  AlertRegular,
  AppGenericRegular,
  BoxRegular,
  BugRegular,
  CloudRegular,
  DesktopRegular,
  DocumentKeyRegular,
  DocumentRegular,
  GlobeRegular,
  KeyRegular,
  LinkRegular,
  MailRegular,
  NumberSymbolSquareRegular,
  PersonRegular,
  PulseRegular,
  ShieldErrorRegular,
  type FluentIcon,
} from '@fluentui/react-icons';

const icons: Record<string, FluentIcon> = {
  incident: ShieldErrorRegular,
  securityalert: AlertRegular,
  alert: AlertRegular,
  ip: GlobeRegular,
  host: DesktopRegular,
  account: PersonRegular,
  url: LinkRegular,
  file: DocumentRegular,
  filehash: NumberSymbolSquareRegular,
  process: AppGenericRegular,
  mailbox: MailRegular,
  mailmessage: MailRegular,
  dns: GlobeRegular,
  dnsresolution: GlobeRegular,
  malware: BugRegular,
  registrykey: KeyRegular,
  registryvalue: KeyRegular,
  azureresource: CloudRegular,
  cloudapplication: CloudRegular,
  token: DocumentKeyRegular,
  trip: PulseRegular,
};

export function KindIcon({ kind, size = 16 }: { kind: string; size?: number }) {
  const I = icons[kind.toLowerCase()] ?? BoxRegular;
  return <I fontSize={size} aria-hidden />;
}

const names: Record<string, string> = { SecurityAlert: 'Alert', Ip: 'IP address', IP: 'IP address', Url: 'URL', FileHash: 'File hash', DnsResolution: 'DNS name', AzureResource: 'Azure resource', CloudApplication: 'Cloud application' };
export const kindName = (kind: string) => names[kind] ?? kind.replace(/([a-z])([A-Z])/g, '$1 $2');
