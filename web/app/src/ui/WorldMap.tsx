import { tokens } from '@fluentui/react-components';
import { useMemo } from 'react';
import { feature } from 'topojson-client';
import type { FeatureCollection, MultiPolygon, Polygon, Position } from 'geojson';
import type { GeometryCollection, Topology } from 'topojson-specification';
import world from 'world-atlas/countries-110m.json';
import { useLook } from '../shell/theme';
import { Chart, echarts } from './Chart';

const topology = world as unknown as Topology<{ countries: GeometryCollection }>;

// Rings that cross the date line jump from 180° to -180° and would be drawn across the whole map: their points
// go on past 180° instead. Antarctica goes round the pole and is left out; nobody opens documents there.
function unwrap(ring: Position[]): Position[] {
  let shift = 0;
  return ring.map((p, i) => {
    const step = i ? p[0]! - ring[i - 1]![0]! : 0;
    if (step > 180) shift -= 360;
    else if (step < -180) shift += 360;
    return [p[0]! + shift, p[1]!];
  });
}

const countries = feature(topology, topology.objects.countries) as unknown as FeatureCollection<Polygon | MultiPolygon, { name?: string }>;
for (const f of countries.features) {
  if (f.geometry.type === 'Polygon') f.geometry.coordinates = f.geometry.coordinates.map(unwrap);
  else f.geometry.coordinates = f.geometry.coordinates.map((rings) => rings.map(unwrap));
}
countries.features = countries.features.filter((f) => f.properties.name !== 'Antarctica');
echarts.registerMap('world', countries as unknown as Parameters<typeof echarts.registerMap>[1]);

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
        layoutCenter: ['50%', '50%'],
        layoutSize: '195%',
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
