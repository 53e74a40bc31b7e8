import { tokens } from '@fluentui/react-components';
import { useMemo } from 'react';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import world from 'world-atlas/countries-110m.json';
import { useLook } from '../shell/theme';
import { Chart, echarts } from './Chart';

const topology = world as unknown as Topology<{ countries: GeometryCollection }>;
echarts.registerMap('world', feature(topology, topology.objects.countries) as unknown as Parameters<typeof echarts.registerMap>[1]);

export interface Place {
  lat: number;
  lon: number;
  label: string;
  count: number;
  /** Drawn in red: a Tor exit, or the place of an incident's source. */
  alarm?: boolean;
}

/** Places on a world map that needs no tile server. */
export default function WorldMap({ places, height = 320 }: { places: Place[]; height?: number }) {
  const { dark } = useLook();
  const option = useMemo(() => {
    const point = (p: Place) => ({ name: p.label, value: [p.lon, p.lat, p.count] });
    const size = (v: number[]) => Math.min(8 + 4 * Math.sqrt(v[2] ?? 1), 28);
    return {
      tooltip: { trigger: 'item', formatter: (p: { name: string; value?: number[] }) => (p.value ? `${echarts.format.encodeHTML(p.name)}: ${p.value[2]}` : '') },
      geo: {
        map: 'world',
        roam: true,
        scaleLimit: { min: 1, max: 12 },
        itemStyle: dark ? { areaColor: '#3b3f45', borderColor: '#22252a' } : { areaColor: '#e3e7ec', borderColor: '#ffffff' },
        emphasis: { disabled: true },
        select: { disabled: true },
        silent: true,
      },
      series: [
        { type: 'effectScatter', coordinateSystem: 'geo', symbolSize: size, itemStyle: { color: '#0f6cbd', opacity: 0.85 }, data: places.filter((p) => !p.alarm).map(point), rippleEffect: { scale: 2 } },
        { type: 'effectScatter', coordinateSystem: 'geo', symbolSize: size, itemStyle: { color: '#c50f1f', opacity: 0.85 }, data: places.filter((p) => p.alarm).map(point), rippleEffect: { scale: 2 } },
      ],
    };
  }, [places, dark]);
  const words = places.length ? 'World map: ' + places.map((p) => `${p.label} ${p.count}`).join(', ') : 'World map without places';
  return (
    <div style={{ border: `1px solid ${tokens.colorNeutralStroke2}`, backgroundColor: tokens.colorNeutralBackground2 }}>
      <Chart option={option} label={words} height={height} />
    </div>
  );
}
