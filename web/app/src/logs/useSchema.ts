import { useQuery } from '@tanstack/react-query';
import { loadCatalogue, loadSchema } from '../api/query';
import { useSession } from '../api/session';

/** The schema is live: tables grow by themselves, so it is asked for again every minute. */
export function useSchema() {
  const { workspace } = useSession();
  return useQuery({ queryKey: ['schema', workspace.name], queryFn: () => loadSchema(workspace), staleTime: 60_000, refetchInterval: 60_000, structuralSharing: true });
}

export function useCatalogue() {
  return useQuery({ queryKey: ['catalogue'], queryFn: loadCatalogue, staleTime: Infinity });
}
